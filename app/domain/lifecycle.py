"""Which moves an assignment may make, and what its ticket becomes: the one table of both."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType

from app.domain.model import AssignmentStatus, CompletionStatus, TicketStatus

ACTIVE = frozenset({AssignmentStatus.ASSIGNED, AssignmentStatus.ACCEPTED, AssignmentStatus.IN_PROGRESS})
"""The only definition of active. SQL says the same list, always positively."""

ENDED = frozenset(AssignmentStatus) - ACTIVE

TERMINAL_TICKET_STATUSES = frozenset({TicketStatus.RESOLVED, TicketStatus.CLOSED, TicketStatus.CANCELLED})


class Action(StrEnum):
    """What people do, to an assignment but for the last; a mutation each."""

    ASSIGN = "assign"
    ACCEPT = "accept"
    REJECT = "reject"
    START = "start"
    COMPLETE = "complete"
    ESCALATE = "escalate"
    REASSIGN = "reassign"
    CANCEL = "cancel"
    RATE = "rate"
    CORRECT = "correct"
    SET_HOURLY_RATE = "set_hourly_rate"


ALLOWED_FROM = MappingProxyType(
    {
        Action.ACCEPT: frozenset({AssignmentStatus.ASSIGNED}),
        Action.REJECT: frozenset({AssignmentStatus.ASSIGNED, AssignmentStatus.ACCEPTED}),
        Action.START: frozenset({AssignmentStatus.ASSIGNED, AssignmentStatus.ACCEPTED}),
        Action.COMPLETE: frozenset({AssignmentStatus.ACCEPTED, AssignmentStatus.IN_PROGRESS}),
        Action.ESCALATE: ACTIVE,
        Action.REASSIGN: ACTIVE,
        Action.CANCEL: ACTIVE,
        # The customer judges work that was done, and hands it in late.
        Action.RATE: frozenset(
            {AssignmentStatus.COMPLETED, AssignmentStatus.FAILED, AssignmentStatus.ESCALATED}
        ),
        # Who was called off may have worked before.
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
"""How the assignment ends and what the ticket becomes. `escalated` is absent: only escalate ends so."""


class EventType(StrEnum):
    """What happened to one assignment; each is a row of assignment_events."""

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
