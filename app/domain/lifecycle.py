"""The state machine: which actions an assignment's status allows, and the statuses that follow."""

from __future__ import annotations

from enum import StrEnum
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

AFTER_COMPLETE = MappingProxyType(
    {
        CompletionStatus.SUCCESS: (AssignmentStatus.COMPLETED, TicketStatus.RESOLVED),
        CompletionStatus.PARTS_REQUIRED: (AssignmentStatus.COMPLETED, TicketStatus.ON_HOLD),
        CompletionStatus.CUSTOMER_UNAVAILABLE: (AssignmentStatus.COMPLETED, TicketStatus.ON_HOLD),
        CompletionStatus.FAILED: (AssignmentStatus.FAILED, TicketStatus.NEW),
    }
)
"""Statuses of the assignment and the ticket. `escalated` is absent: only escalate leads to it."""


class EventType(StrEnum):
    """The types of assignment events. A CHECK of assignment_events lists the same values."""

    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    ESCALATED = "escalated"
    REASSIGNED = "reassigned"
    CANCELLED = "cancelled"
    RATED = "rated"
    HOURS_CORRECTED = "hours_corrected"
    OVERDUE = "overdue"
