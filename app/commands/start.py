"""Start: the engineer begins to work."""

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
class StartAssignment(Command):
    """Say that work has begun. Starting accepts, where nobody had accepted yet."""

    action = Action.START
    assignment_id: AssignmentId = given("The assignment to start.", values.assignment_id)


def start_assignment(wish: StartAssignment, locked: LockedTicket) -> Change:
    current = locked.assignment_to(wish.action)
    started = replace(
        current,
        status=AssignmentStatus.IN_PROGRESS,
        accepted_at=current.accepted_at or locked.now,
        started_at=locked.now,
        updated_at=locked.now,
    )
    return Change(((EventType.STARTED, started),), TicketStatus.IN_PROGRESS)
