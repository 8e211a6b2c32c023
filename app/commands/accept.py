"""Accept an assignment: the engineer confirms it."""

from __future__ import annotations

from app.commands.command import ASSIGNMENT_REFUSALS, Command, command_dataclass, command_field
from app.commands.ticket_state import Change, TicketState
from app.domain import values
from app.domain.events import EventType
from app.domain.lifecycle import Action
from app.domain.model import AssignmentId, AssignmentStatus

REFUSALS = ASSIGNMENT_REFUSALS


@command_dataclass
class AcceptAssignment(Command):
    """Accept an assignment. Its status must be ASSIGNED."""

    action = Action.ACCEPT
    assignment_id: AssignmentId = command_field("Assignment to accept.", values.assignment_id)


def accept_assignment(command: AcceptAssignment, state: TicketState) -> Change:
    accepted = state.change_assignment(
        command.action, status=AssignmentStatus.ACCEPTED, accepted_at=state.now
    )
    return Change(((EventType.ACCEPTED, accepted),), ticket_status=None)
