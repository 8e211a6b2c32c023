"""Reject an assignment: the engineer declines it, so the ticket needs another engineer."""

from __future__ import annotations

from app.commands.command import ASSIGNMENT_REFUSALS, command_dataclass, command_field, text_field
from app.commands.ticket_state import Change, TicketState
from app.commands.unfinished_work import UnfinishedWork
from app.domain import values
from app.domain.events import EventType
from app.domain.lifecycle import Action
from app.domain.model import AssignmentId, AssignmentStatus, TicketStatus

REFUSALS = ASSIGNMENT_REFUSALS


@command_dataclass
class RejectAssignment(UnfinishedWork):
    """Reject an assignment before work starts. The ticket becomes NEW and needs another engineer."""

    action = Action.REJECT
    assignment_id: AssignmentId = command_field("Assignment to reject.", values.assignment_id)
    reason: str = text_field("Why it is rejected.")


def reject_assignment(command: RejectAssignment, state: TicketState) -> Change:
    rejected = state.change_assignment(
        command.action,
        status=AssignmentStatus.REJECTED,
        rejected_at=state.now,
        rejection_reason=command.reason,
        **command.work_done,
    )
    return Change(((EventType.REJECTED, rejected),), TicketStatus.NEW)
