"""Cancel: take the ticket back from its engineer."""

from __future__ import annotations

from dataclasses import replace

from app.commands.command import ALWAYS, Command, command, given
from app.commands.ticket_state import Change, LockedTicket
from app.domain import values
from app.domain.errors import AssignmentNotFound, TransitionNotAllowed
from app.domain.lifecycle import Action, EventType
from app.domain.model import AssignmentId, AssignmentStatus, TicketStatus

REFUSALS = (AssignmentNotFound, TransitionNotAllowed, *ALWAYS)


@command
class CancelAssignment(Command):
    """End an active assignment without a successor. The ticket becomes new and needs an engineer."""

    action = Action.CANCEL
    assignment_id: AssignmentId = given("The assignment to cancel.", values.assignment_id)
    reason: str = given("Why, for the history.", values.text(values.LONG, required=True))


def cancel_assignment(wish: CancelAssignment, locked: LockedTicket) -> Change:
    cancelled = replace(
        locked.assignment_to(wish.action),
        status=AssignmentStatus.CANCELLED,
        completed_at=locked.now,
        cancellation_reason=wish.reason,
        updated_at=locked.now,
    )
    return Change(((EventType.CANCELLED, cancelled),), TicketStatus.NEW)
