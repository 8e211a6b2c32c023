"""The enums of the domain, with the descriptions that clients read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import strawberry

from app.domain.errors import RefusalCode
from app.domain.lifecycle import Action
from app.domain.model import (
    AssignmentStatus,
    AssignmentType,
    CompletionStatus,
    Role,
    TicketPriority,
    TicketStatus,
)
from app.queries.statistics import Unit

if TYPE_CHECKING:
    from enum import StrEnum


_DESCRIPTIONS: dict[type[StrEnum], tuple[str, dict[str, str]]] = {
    TicketStatus: (
        "Status of a ticket. Tickets that are resolved, closed or cancelled cannot be assigned.",
        {
            "NEW": "Not assigned; the ticket needs an engineer.",
            "ASSIGNED": "Assigned to an engineer who has not started work.",
            "IN_PROGRESS": "An engineer is working on the ticket.",
            "ON_HOLD": "Another visit is necessary: parts were missing, or the customer was unavailable.",
            "RESOLVED": "The fault was repaired.",
            "CLOSED": "The ticket was closed after its work was done.",
            "CANCELLED": "The ticket was withdrawn.",
        },
    ),
    TicketPriority: (
        "Urgency of a ticket.",
        {
            "CRITICAL": "Patients are at risk.",
            "HIGH": "The equipment is out of service.",
            "MEDIUM": "The equipment works with restrictions.",
            "LOW": "The repair can wait.",
        },
    ),
    AssignmentStatus: (
        "Status of an assignment. ASSIGNED, ACCEPTED and IN_PROGRESS are active; the others are final.",
        {
            "ASSIGNED": "The engineer has not responded yet.",
            "ACCEPTED": "The engineer accepted and has not started work.",
            "IN_PROGRESS": "The engineer is working.",
            "COMPLETED": "The work ended with success, or another visit is necessary.",
            "FAILED": "The work ended without success.",
            "REJECTED": "The engineer rejected the assignment.",
            "ESCALATED": "The ticket was escalated to a higher tier.",
            "CANCELLED": "The assignment was cancelled, or the ticket reassigned.",
        },
    ),
    CompletionStatus: (
        "Outcome of an assignment.",
        {
            "SUCCESS": "The fault was repaired; the ticket is resolved.",
            "FAILED": "The fault could not be repaired; the ticket needs another engineer.",
            "ESCALATED": "The ticket was escalated to a higher tier; set only by `escalateTicket`.",
            "PARTS_REQUIRED": "Parts were missing; the ticket is on hold.",
            "CUSTOMER_UNAVAILABLE": "The customer was unavailable; the ticket is on hold.",
        },
    ),
    AssignmentType: (
        "How an assignment was created.",
        {
            "AUTO": "A rule chose the engineer.",
            "MANUAL": "A person chose the engineer.",
            "ESCALATION": "The ticket was escalated from a lower tier.",
            "REASSIGNMENT": "The ticket was reassigned within the tier.",
        },
    ),
    Role: (
        "Role of a user.",
        {
            "ADMIN": "May read and change everything.",
            "DISPATCHER": "May read everything, and change everything except hourly rates.",
            "ENGINEER": "May read, accept, reject, start and complete their own assignments.",
            "AUDITOR": "May read everything and change nothing.",
        },
    ),
    Action: (
        "Change that a mutation makes.",
        {
            "ASSIGN": "Assign a ticket to an engineer.",
            "ACCEPT": "Accept an assignment.",
            "REJECT": "Reject an assignment.",
            "START": "Start work on an assignment.",
            "COMPLETE": "Complete an assignment with an outcome.",
            "ESCALATE": "Escalate a ticket to a higher tier.",
            "REASSIGN": "Reassign a ticket to another engineer at the same tier.",
            "CANCEL": "Cancel an assignment.",
            "RATE": "Store the customer's rating of an assignment.",
            "CORRECT": "Correct the hours of an assignment.",
            "SET_HOURLY_RATE": "Set the hourly rate of an engineer.",
        },
    ),
    RefusalCode: (
        "Why a mutation was refused.",
        {
            "TICKET_NOT_FOUND": "The ticket does not exist, or you may not see it.",
            "TICKET_NOT_OPEN": "The ticket is resolved, closed or cancelled.",
            "TICKET_ALREADY_ASSIGNED": "The ticket has a current assignment.",
            "NO_CURRENT_ASSIGNMENT": "The ticket has no current assignment.",
            "ASSIGNMENT_NOT_FOUND": "The assignment does not exist, or you may not act on it.",
            "TRANSITION_NOT_ALLOWED": "The status of the assignment does not allow the action.",
            "ENGINEER_NOT_FOUND": "The engineer does not exist.",
            "ENGINEER_INACTIVE": "The engineer is inactive and cannot be assigned.",
            "SAME_ENGINEER": "The ticket is already assigned to the engineer.",
            "NO_HIGHER_TIER": "The current assignment is at the highest tier.",
            "TIER_NOT_HIGHER": "The tier in the input is not higher than the current tier.",
            "STALE_SEQUENCE": "The ticket has changed since you read it.",
            "IDEMPOTENCY_KEY_REUSED": "The idempotency key was already used with other input.",
            "FORBIDDEN": "Your role does not allow the action.",
            "INVALID_INPUT": "An input value is not valid.",
        },
    ),
    Unit: (
        "Length of the intervals of a series.",
        {
            "DAY": "Days, from midnight to midnight.",
            "WEEK": "Weeks, from Monday to Sunday.",
            "MONTH": "Calendar months.",
        },
    ),
}


def describe_enums() -> None:
    """Make each a GraphQL enum with descriptions. Must run before a GraphQL type uses one of them."""
    for enum, (description, values) in _DESCRIPTIONS.items():
        definition = strawberry.enum(enum, description=description).__strawberry_definition__  # type: ignore[attr-defined]
        names = {value.name for value in definition.values}
        if names != values.keys():
            raise TypeError(f"The descriptions of {enum.__name__} do not match its values")
        for value in definition.values:
            value.description = values[value.name]
