"""The enums of the domain, with the descriptions that clients read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


_DESCRIPTIONS: dict[type[StrEnum], tuple[str, dict[Any, str]]] = {
    TicketStatus: (
        "Status of a ticket. Tickets that are resolved, closed or cancelled cannot be assigned.",
        {
            TicketStatus.NEW: "Not assigned; the ticket needs an engineer.",
            TicketStatus.ASSIGNED: "Assigned to an engineer who has not started work.",
            TicketStatus.IN_PROGRESS: "An engineer is working on the ticket.",
            TicketStatus.ON_HOLD: "Another visit is necessary; parts or the customer were unavailable.",
            TicketStatus.RESOLVED: "The fault was repaired.",
            TicketStatus.CLOSED: "The ticket was closed after its work was done.",
            TicketStatus.CANCELLED: "The ticket was withdrawn.",
        },
    ),
    TicketPriority: (
        "Urgency of a ticket.",
        {
            TicketPriority.CRITICAL: "Patients are at risk.",
            TicketPriority.HIGH: "The equipment is out of service.",
            TicketPriority.MEDIUM: "The equipment works with restrictions.",
            TicketPriority.LOW: "The repair can wait.",
        },
    ),
    AssignmentStatus: (
        "Status of an assignment. ASSIGNED, ACCEPTED and IN_PROGRESS are active; the others are final.",
        {
            AssignmentStatus.ASSIGNED: "The engineer has not responded yet.",
            AssignmentStatus.ACCEPTED: "The engineer accepted and has not started work.",
            AssignmentStatus.IN_PROGRESS: "The engineer is working.",
            AssignmentStatus.COMPLETED: "The work ended with success, or another visit is necessary.",
            AssignmentStatus.FAILED: "The work ended without success.",
            AssignmentStatus.REJECTED: "The engineer rejected the assignment.",
            AssignmentStatus.ESCALATED: "The ticket was escalated to a higher tier.",
            AssignmentStatus.CANCELLED: "The assignment was cancelled, or the ticket reassigned.",
        },
    ),
    CompletionStatus: (
        "Outcome of an assignment.",
        {
            CompletionStatus.SUCCESS: "The fault was repaired; the ticket is resolved.",
            CompletionStatus.FAILED: "The repair failed; the ticket needs another engineer.",
            CompletionStatus.ESCALATED: "Escalated to a higher tier; set only by `escalateTicket`.",
            CompletionStatus.PARTS_REQUIRED: "Parts were missing; the ticket is on hold.",
            CompletionStatus.CUSTOMER_UNAVAILABLE: "The customer was unavailable; the ticket is on hold.",
        },
    ),
    AssignmentType: (
        "How an assignment was created.",
        {
            AssignmentType.AUTO: "A rule chose the engineer.",
            AssignmentType.MANUAL: "A person chose the engineer.",
            AssignmentType.ESCALATION: "The ticket was escalated from a lower tier.",
            AssignmentType.REASSIGNMENT: "The ticket was reassigned within the tier.",
        },
    ),
    Role: (
        "Role of a user.",
        {
            Role.ADMIN: "May read and change everything.",
            Role.DISPATCHER: "May read everything, and change everything except hourly rates.",
            Role.ENGINEER: "May read, accept, reject, start and complete their own assignments.",
            Role.AUDITOR: "May read everything and change nothing.",
        },
    ),
    Action: (
        "Change that a mutation makes.",
        {
            Action.ASSIGN: "Assign a ticket to an engineer.",
            Action.ACCEPT: "Accept an assignment.",
            Action.REJECT: "Reject an assignment.",
            Action.START: "Start work on an assignment.",
            Action.COMPLETE: "Complete an assignment with an outcome.",
            Action.ESCALATE: "Escalate a ticket to a higher tier.",
            Action.REASSIGN: "Reassign a ticket to another engineer at the same tier.",
            Action.CANCEL: "Cancel an assignment.",
            Action.RATE: "Store the customer's rating of an assignment.",
            Action.CORRECT: "Correct the hours of an assignment.",
            Action.SET_HOURLY_RATE: "Set the hourly rate of an engineer.",
        },
    ),
    RefusalCode: (
        "Why a mutation was refused.",
        {
            RefusalCode.TICKET_NOT_FOUND: "The ticket does not exist, or you may not see it.",
            RefusalCode.TICKET_NOT_OPEN: "The ticket is resolved, closed or cancelled.",
            RefusalCode.TICKET_ALREADY_ASSIGNED: "The ticket has a current assignment.",
            RefusalCode.NO_CURRENT_ASSIGNMENT: "The ticket has no current assignment.",
            RefusalCode.ASSIGNMENT_NOT_FOUND: "The assignment does not exist, or you may not act on it.",
            RefusalCode.TRANSITION_NOT_ALLOWED: "The status of the assignment does not allow the action.",
            RefusalCode.ENGINEER_NOT_FOUND: "The engineer does not exist.",
            RefusalCode.ENGINEER_INACTIVE: "The engineer is inactive and cannot be assigned.",
            RefusalCode.SAME_ENGINEER: "The ticket is already assigned to the engineer.",
            RefusalCode.NO_HIGHER_TIER: "The current assignment is at the highest tier.",
            RefusalCode.TIER_NOT_HIGHER: "The tier in the input is not higher than the current tier.",
            RefusalCode.STALE_SEQUENCE: "The ticket has changed since you read it.",
            RefusalCode.IDEMPOTENCY_KEY_REUSED: "The idempotency key was already used with other input.",
            RefusalCode.FORBIDDEN: "Your role does not allow the action.",
            RefusalCode.INVALID_INPUT: "An input value is not valid.",
        },
    ),
    Unit: (
        "Length of the intervals of a series.",
        {
            Unit.DAY: "Days, from midnight to midnight.",
            Unit.WEEK: "Weeks, from Monday to Sunday.",
            Unit.MONTH: "Calendar months.",
        },
    ),
}


def describe_enums() -> None:
    """Make each a GraphQL enum with descriptions. Must run before a GraphQL type uses one of them."""
    for enum, (description, values) in _DESCRIPTIONS.items():
        definition = strawberry.enum(enum, description=description).__strawberry_definition__  # type: ignore[attr-defined]
        for value in definition.values:
            value.description = values[enum[value.name]]
