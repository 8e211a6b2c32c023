"""Complete an assignment, with the outcome of the work."""

from __future__ import annotations

from decimal import Decimal

from app.commands.command import ASSIGNMENT_REFUSALS, Command, command_dataclass, command_field, text_field
from app.commands.ticket_state import Change, TicketState
from app.domain import values
from app.domain.errors import InvalidInput
from app.domain.events import EventType
from app.domain.lifecycle import AFTER_COMPLETE, Action
from app.domain.model import AssignmentId, AssignmentStatus, CompletionStatus, PartUsed

REFUSALS = ASSIGNMENT_REFUSALS


@command_dataclass
class CompleteAssignment(Command):
    """Complete an assignment with its outcome and hours. To hand it to a higher tier, escalate."""

    action = Action.COMPLETE
    assignment_id: AssignmentId = command_field("Assignment to complete.", values.assignment_id)
    completion_status: CompletionStatus = command_field(
        "Outcome of the work. ESCALATED is refused: use `escalateTicket`."
    )
    time_spent_hours: Decimal = command_field(
        "Hours worked, 0 to 999.99, at most two decimal places.", values.hours
    )
    diagnosis: str | None = text_field("What was wrong.", default=None)
    actions_taken: str | None = text_field("What was done.", default=None)
    parts_used: tuple[PartUsed, ...] = command_field("Parts used, at most 100.", values.parts, default=())
    notes: str | None = text_field("Other notes.", default=None)


def complete_assignment(command: CompleteAssignment, state: TicketState) -> Change:
    if command.completion_status not in AFTER_COMPLETE:
        raise InvalidInput("completionStatus", "must not be ESCALATED; use escalateTicket")
    status, ticket_status = AFTER_COMPLETE[command.completion_status]
    completed = state.change_assignment(
        command.action,
        status=status,
        completed_at=state.now,
        completion_status=command.completion_status,
        time_spent_hours=command.time_spent_hours,
        diagnosis=command.diagnosis,
        actions_taken=command.actions_taken,
        parts_used=command.parts_used or state.assignment_for(command.action).parts_used,
        notes=command.notes,
    )
    event = EventType.FAILED if status is AssignmentStatus.FAILED else EventType.COMPLETED
    return Change(((event, completed),), ticket_status)
