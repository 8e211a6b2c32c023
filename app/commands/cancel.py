"""Cancel: take the ticket back from its engineer."""

from __future__ import annotations

from dataclasses import replace

from app.commands.command import COMMON_REFUSALS, Command, command_dataclass, command_field
from app.commands.ticket_state import Change, TicketState
from app.domain import values
from app.domain.errors import AssignmentNotFound, TransitionNotAllowed
from app.domain.lifecycle import Action, EventType
from app.domain.model import AssignmentId, AssignmentStatus, TicketStatus

REFUSALS = (AssignmentNotFound, TransitionNotAllowed, *COMMON_REFUSALS)


@command_dataclass
class CancelAssignment(Command):
    """End an active assignment without a successor. The ticket becomes new and needs an engineer."""

    action = Action.CANCEL
    assignment_id: AssignmentId = command_field("The assignment to cancel.", values.assignment_id)
    reason: str = command_field("Why, for the history.", values.text(values.LONG, required=True))


def cancel_assignment(command: CancelAssignment, state: TicketState) -> Change:
    cancelled = replace(
        state.assignment_for(command.action),
        status=AssignmentStatus.CANCELLED,
        completed_at=state.now,
        cancellation_reason=command.reason,
        updated_at=state.now,
    )
    return Change(((EventType.CANCELLED, cancelled),), TicketStatus.NEW)
