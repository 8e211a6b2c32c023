"""Correct: set right the hours of work that has ended."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from app.commands.command import COMMON_REFUSALS, Command, command_dataclass, command_field
from app.commands.ticket_state import Change, TicketState
from app.domain import values
from app.domain.errors import AssignmentNotFound, InvalidInput, TransitionNotAllowed
from app.domain.lifecycle import Action, EventType
from app.domain.model import AssignmentId

REFUSALS = (AssignmentNotFound, TransitionNotAllowed, *COMMON_REFUSALS)


@command_dataclass
class CorrectTimeSpent(Command):
    """Set right the hours of an assignment that has ended. The history keeps the old ones, and why."""

    action = Action.CORRECT
    assignment_id: AssignmentId = command_field("The assignment whose hours are wrong.", values.assignment_id)
    time_spent_hours: Decimal = command_field(
        "Hours that were worked, 0 to 999.99, two decimals at most.", values.hours
    )
    reason: str = command_field("Why, for the history.", values.text(values.LONG, required=True))


def correct_time_spent(command: CorrectTimeSpent, state: TicketState) -> Change:
    ended = state.assignment_for(command.action)
    if command.time_spent_hours == ended.time_spent_hours:
        raise InvalidInput("timeSpentHours", "must differ from the hours that are there")
    corrected = replace(ended, time_spent_hours=command.time_spent_hours, updated_at=state.now)
    return Change(
        ((EventType.HOURS_CORRECTED, corrected),),
        ticket_status=None,
        details={"time_spent_hours_before": ended.time_spent_hours, "reason": command.reason},
    )
