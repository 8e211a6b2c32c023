"""Start work on an assignment."""

from __future__ import annotations

from app.commands.command import ASSIGNMENT_REFUSALS, Command, command_dataclass, command_field
from app.commands.ticket_state import Change, TicketState
from app.domain import values
from app.domain.events import EventType
from app.domain.lifecycle import Action
from app.domain.model import AssignmentId, AssignmentStatus, TicketStatus

REFUSALS = ASSIGNMENT_REFUSALS


@command_dataclass
class StartAssignment(Command):
    """Start work on an assignment. If it is not accepted yet, this accepts it, too."""

    action = Action.START
    assignment_id: AssignmentId = command_field("Assignment to start.", values.assignment_id)


def start_assignment(command: StartAssignment, state: TicketState) -> Change:
    current = state.assignment_for(command.action)
    started = state.change_assignment(
        command.action,
        status=AssignmentStatus.IN_PROGRESS,
        accepted_at=current.accepted_at or state.now,
        started_at=state.now,
    )
    return Change(((EventType.STARTED, started),), TicketStatus.IN_PROGRESS)
