"""Reject: the engineer declines the assignment, and the ticket needs another."""

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
class RejectAssignment(Command):
    """Decline an assignment that has not been started. The ticket becomes new and needs an engineer."""

    action = Action.REJECT
    assignment_id: AssignmentId = given("The assignment to decline.", values.assignment_id)
    reason: str = given("Why, for the dispatcher.", values.text(values.LONG, required=True))


def reject_assignment(wish: RejectAssignment, locked: LockedTicket) -> Change:
    rejected = replace(
        locked.assignment_to(wish.action),
        status=AssignmentStatus.REJECTED,
        rejected_at=locked.now,
        rejection_reason=wish.reason,
        updated_at=locked.now,
    )
    return Change(((EventType.REJECTED, rejected),), TicketStatus.NEW)
