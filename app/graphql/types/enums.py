"""The enums of the domain, as clients read about them."""

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


def _describe(enum: type[StrEnum], description: str, /, **of_values: str) -> None:
    """Register `enum` with a description of it and of each of its values."""
    definition = strawberry.enum(enum, description=description).__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = of_values.pop(value.name)
    if of_values:
        raise TypeError(f"{enum.__name__} has no {', '.join(of_values)}")


_describe(
    TicketStatus,
    "Where a ticket stands.",
    NEW="Nobody holds it; it needs an engineer.",
    ASSIGNED="An engineer holds it.",
    IN_PROGRESS="An engineer is working on it.",
    ON_HOLD="It needs another visit: parts are missing, or the customer was not there.",
    RESOLVED="The fault is gone.",
    CLOSED="Done and filed.",
    CANCELLED="Withdrawn.",
)
_describe(
    TicketPriority,
    "How urgent a ticket is.",
    CRITICAL="Patients are at risk.",
    HIGH="Equipment is down.",
    MEDIUM="Equipment works in part.",
    LOW="Can wait.",
)
_describe(
    AssignmentStatus,
    "Where an assignment stands. The first three are active; the others have ended and stay as they are.",
    ASSIGNED="Given to the engineer, who has not answered yet.",
    ACCEPTED="The engineer has taken it.",
    IN_PROGRESS="The engineer is working.",
    COMPLETED="Ended with success, or with another visit to come.",
    FAILED="Ended without success.",
    REJECTED="The engineer declined.",
    ESCALATED="Handed to a higher tier.",
    CANCELLED="Taken back, or handed to a colleague.",
)
_describe(
    CompletionStatus,
    "How an assignment's work came out.",
    SUCCESS="The fault is gone; the ticket is resolved.",
    FAILED="It could not be fixed; the ticket needs another engineer.",
    ESCALATED="Handed to a higher tier; only escalateTicket ends so.",
    PARTS_REQUIRED="Parts are missing; the ticket is on hold.",
    CUSTOMER_UNAVAILABLE="Nobody was there; the ticket is on hold.",
)
_describe(
    AssignmentType,
    "How an assignment came about.",
    AUTO="A rule chose the engineer.",
    MANUAL="A person chose the engineer.",
    ESCALATION="It came from a lower tier.",
    REASSIGNMENT="It came from a colleague at the same tier.",
)
_describe(
    Role,
    "What somebody who is signed in may do.",
    ADMIN="Everything.",
    DISPATCHER="Assign, escalate, and act on every assignment.",
    ENGINEER="Accept, reject, start and complete assignments of one's own.",
    AUDITOR="Read everything, change nothing.",
)
_describe(
    Action,
    "What can be done, to an assignment but for the last.",
    ASSIGN="Give the ticket to an engineer.",
    ACCEPT="Take it.",
    REJECT="Decline it.",
    START="Begin to work.",
    COMPLETE="End the work with its outcome.",
    ESCALATE="Hand the ticket to a higher tier.",
    REASSIGN="Hand the ticket to a colleague.",
    CANCEL="Take the ticket back.",
    RATE="Keep the customer's rating.",
    CORRECT="Set its hours right.",
    SET_HOURLY_RATE="Say what an engineer's hour costs.",
)
_describe(
    RefusalCode,
    "Why a mutation changed nothing.",
    TICKET_NOT_FOUND="There is no such ticket, or it is not yours.",
    TICKET_NOT_OPEN="The ticket is resolved, closed or cancelled.",
    TICKET_ALREADY_ASSIGNED="Somebody holds the ticket.",
    NO_CURRENT_ASSIGNMENT="Nobody holds the ticket.",
    ASSIGNMENT_NOT_FOUND="There is no such assignment, or it is not yours.",
    TRANSITION_NOT_ALLOWED="The assignment is not in a status that this starts from.",
    ENGINEER_NOT_FOUND="There is no such engineer.",
    ENGINEER_INACTIVE="The engineer takes no work now.",
    SAME_ENGINEER="The engineer holds the ticket already.",
    NO_HIGHER_TIER="The assignment is at the last tier.",
    TIER_NOT_HIGHER="The tier that was asked for is not higher.",
    STALE_SEQUENCE="The ticket has moved on since you looked.",
    IDEMPOTENCY_KEY_REUSED="The key has made another change.",
    FORBIDDEN="Your role does not do this.",
    INVALID_INPUT="A value is out of its bounds.",
)
_describe(
    Unit,
    "The parts of a series.",
    DAY="From midnight to midnight.",
    WEEK="From Monday to Sunday.",
    MONTH="From the first of a month to its last.",
)
