"""Cancel an assignment, so that the ticket needs an engineer again."""

from __future__ import annotations

from app.commands.command import ASSIGNMENT_REFUSALS, command_dataclass, command_field, text_field
from app.commands.ticket_state import Change, TicketState
from app.commands.unfinished_work import UnfinishedWork
from app.domain import values
from app.domain.events import EventType
from app.domain.lifecycle import Action
from app.domain.model import AssignmentId, TicketStatus

REFUSALS = ASSIGNMENT_REFUSALS


@command_dataclass
class CancelAssignment(UnfinishedWork):
    """Cancel an active assignment. The ticket becomes NEW and needs another engineer."""

    action = Action.CANCEL
    assignment_id: AssignmentId = command_field("Assignment to cancel.", values.assignment_id)
    reason: str = text_field("Why it is cancelled.")


def cancel_assignment(command: CancelAssignment, state: TicketState) -> Change:
    return Change(((EventType.CANCELLED, command.cancelled(state, command.reason)),), TicketStatus.NEW)
