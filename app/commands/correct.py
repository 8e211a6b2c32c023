"""Correct the hours of an assignment that has ended."""

from __future__ import annotations

from decimal import Decimal

from app.commands.command import ASSIGNMENT_REFUSALS, Command, command_dataclass, command_field, text_field
from app.commands.ticket_state import Change, TicketState
from app.domain import values
from app.domain.errors import InvalidInput
from app.domain.events import EventType
from app.domain.lifecycle import Action
from app.domain.model import AssignmentId

REFUSALS = ASSIGNMENT_REFUSALS


@command_dataclass
class CorrectTimeSpent(Command):
    """Correct the hours of an assignment that has ended. The history keeps the old hours and the reason."""

    action = Action.CORRECT
    assignment_id: AssignmentId = command_field(
        "Assignment to correct; it must have ended.", values.assignment_id
    )
    time_spent_hours: Decimal = command_field(
        "Hours worked, 0 to 999.99, at most two decimal places. They must differ from the current ones.",
        values.hours,
    )
    reason: str = text_field("Why the hours are corrected.")


def correct_time_spent(command: CorrectTimeSpent, state: TicketState) -> Change:
    ended = state.assignment_for(command.action)
    if command.time_spent_hours == ended.time_spent_hours:
        raise InvalidInput("timeSpentHours", "must differ from the current hours")
    corrected = state.change_assignment(command.action, time_spent_hours=command.time_spent_hours)
    return Change(
        ((EventType.HOURS_CORRECTED, corrected),),
        ticket_status=None,
        details={"time_spent_hours_before": ended.time_spent_hours, "reason": command.reason},
    )
