"""Accept: the engineer takes the assignment."""

from __future__ import annotations

from dataclasses import replace

from app.commands.command import ALWAYS, Command, command, given
from app.commands.ticket_state import Change, LockedTicket
from app.domain import values
from app.domain.errors import AssignmentNotFound, TransitionNotAllowed
from app.domain.lifecycle import Action, EventType
from app.domain.model import AssignmentId, AssignmentStatus

REFUSALS = (AssignmentNotFound, TransitionNotAllowed, *ALWAYS)


@command
class AcceptAssignment(Command):
    """Say that the engineer takes the assignment. It must be assigned and not accepted yet."""

    action = Action.ACCEPT
    assignment_id: AssignmentId = given("The assignment to accept.", values.assignment_id)


def accept_assignment(wish: AcceptAssignment, locked: LockedTicket) -> Change:
    accepted = replace(
        locked.assignment_to(wish.action),
        status=AssignmentStatus.ACCEPTED,
        accepted_at=locked.now,
        updated_at=locked.now,
    )
    return Change(((EventType.ACCEPTED, accepted),), ticket_status=None)
