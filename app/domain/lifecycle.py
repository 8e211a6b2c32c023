"""The state machine: which actions an assignment's status allows, and the statuses that follow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from app.domain.declarations import ApiEnum
from app.domain.model import AssignmentStatus, CompletionStatus, TicketStatus

ACTIVE = frozenset({AssignmentStatus.ASSIGNED, AssignmentStatus.ACCEPTED, AssignmentStatus.IN_PROGRESS})
"""The single definition of an active assignment. SQL repeats the list in fragments `is_active`."""

ENDED = frozenset(AssignmentStatus) - ACTIVE

TERMINAL_TICKET_STATUSES = frozenset({TicketStatus.RESOLVED, TicketStatus.CLOSED, TicketStatus.CANCELLED})


class Action(ApiEnum):
    """Change that a mutation makes."""

    ASSIGN = "assign", "Assign a ticket to an engineer."
    ACCEPT = "accept", "Accept an assignment."
    REJECT = "reject", "Reject an assignment."
    START = "start", "Start work on an assignment."
    COMPLETE = "complete", "Complete an assignment with an outcome."
    ESCALATE = "escalate", "Escalate a ticket to a higher tier."
    REASSIGN = "reassign", "Reassign a ticket to another engineer at the same tier."
    CANCEL = "cancel", "Cancel an assignment."
    RATE = "rate", "Store the customer's rating of an assignment."
    CORRECT = "correct", "Correct the hours of an assignment."
    SET_HOURLY_RATE = "set_hourly_rate", "Set the hourly rate of an engineer."
    CREATE_TICKET = "create_ticket", "Open a new ticket."
    UPDATE_TICKET = "update_ticket", "Change fields of a ticket."
    HOLD_TICKET = "hold_ticket", "Put a ticket on hold."
    RESUME_TICKET = "resume_ticket", "Resume a ticket that is on hold."
    CLOSE_TICKET = "close_ticket", "Close a resolved ticket."
    REOPEN_TICKET = "reopen_ticket", "Reopen a resolved, closed or cancelled ticket."
    CANCEL_TICKET = "cancel_ticket", "Withdraw a ticket, with its current assignment."
    ADD_NOTE = "add_note", "Add a note to a ticket."


ALLOWED_FROM = MappingProxyType(
    {
        Action.ACCEPT: frozenset({AssignmentStatus.ASSIGNED}),
        Action.REJECT: frozenset({AssignmentStatus.ASSIGNED, AssignmentStatus.ACCEPTED}),
        Action.START: frozenset({AssignmentStatus.ASSIGNED, AssignmentStatus.ACCEPTED}),
        Action.COMPLETE: frozenset({AssignmentStatus.ACCEPTED, AssignmentStatus.IN_PROGRESS}),
        Action.ESCALATE: ACTIVE,
        Action.REASSIGN: ACTIVE,
        Action.CANCEL: ACTIVE,
        # Customers send their rating after the work has ended.
        Action.RATE: frozenset(
            {AssignmentStatus.COMPLETED, AssignmentStatus.FAILED, AssignmentStatus.ESCALATED}
        ),
        # Work may precede a rejection, an escalation or a cancellation, too.
        Action.CORRECT: ENDED,
    }
)

OPEN_TICKET_STATUSES = frozenset(TicketStatus) - TERMINAL_TICKET_STATUSES

TICKET_ALLOWED_FROM = MappingProxyType(
    {
        Action.UPDATE_TICKET: OPEN_TICKET_STATUSES | {TicketStatus.RESOLVED},
        Action.HOLD_TICKET: OPEN_TICKET_STATUSES - {TicketStatus.ON_HOLD},
        Action.RESUME_TICKET: frozenset({TicketStatus.ON_HOLD}),
        Action.CLOSE_TICKET: frozenset({TicketStatus.RESOLVED}),
        Action.REOPEN_TICKET: TERMINAL_TICKET_STATUSES,
        Action.CANCEL_TICKET: OPEN_TICKET_STATUSES,
        Action.ADD_NOTE: frozenset(TicketStatus),
    }
)
"""The statuses of a ticket in which an action on the ticket itself is allowed."""


@dataclass(frozen=True, slots=True)
class TicketRules:
    """The rules of a deployment."""

    reopen_within: timedelta = timedelta(days=14)
    """How long after it was closed or cancelled a ticket can be reopened."""
    close_after: timedelta | None = None
    """How long after it was resolved a ticket is closed by itself; None for never."""


DEFAULT_RULES = TicketRules()


AFTER_COMPLETE = MappingProxyType(
    {
        CompletionStatus.SUCCESS: (AssignmentStatus.COMPLETED, TicketStatus.RESOLVED),
        CompletionStatus.PARTS_REQUIRED: (AssignmentStatus.COMPLETED, TicketStatus.ON_HOLD),
        CompletionStatus.CUSTOMER_UNAVAILABLE: (AssignmentStatus.COMPLETED, TicketStatus.ON_HOLD),
        CompletionStatus.FAILED: (AssignmentStatus.FAILED, TicketStatus.NEW),
    }
)
"""Statuses of the assignment and the ticket. `escalated` is absent: only escalate leads to it."""
