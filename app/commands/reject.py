"""Reject: the engineer declines the assignment, and the ticket needs another."""

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
class RejectAssignment(Command):
    """Decline an assignment that has not been started. The ticket becomes new and needs an engineer."""

    action = Action.REJECT
    assignment_id: AssignmentId = command_field("The assignment to decline.", values.assignment_id)
    reason: str = command_field("Why, for the dispatcher.", values.text(values.LONG, required=True))


def reject_assignment(command: RejectAssignment, state: TicketState) -> Change:
    rejected = replace(
        state.assignment_for(command.action),
        status=AssignmentStatus.REJECTED,
        rejected_at=state.now,
        rejection_reason=command.reason,
        updated_at=state.now,
    )
    return Change(((EventType.REJECTED, rejected),), TicketStatus.NEW)
