"""Record the customer's rating of an assignment that has ended."""

from __future__ import annotations

from app.commands.command import ASSIGNMENT_REFUSALS, Command, command_dataclass, command_field, text_field
from app.commands.ticket_state import Change, TicketState
from app.domain import values
from app.domain.events import EventType
from app.domain.lifecycle import Action
from app.domain.model import AssignmentId

REFUSALS = ASSIGNMENT_REFUSALS


@command_dataclass
class RateAssignment(Command):
    """Record the customer's rating of an assignment that has ended. It replaces an earlier rating."""

    action = Action.RATE
    assignment_id: AssignmentId = command_field("Assignment to rate.", values.assignment_id)
    rating: int = command_field("Rating from 1, worst, to 5, best.", values.rating)
    feedback: str | None = text_field("The customer's comment.", default=None)


def rate_assignment(command: RateAssignment, state: TicketState) -> Change:
    rated = state.change_assignment(
        command.action, customer_rating=command.rating, customer_feedback=command.feedback
    )
    before = state.assignment_for(command.action).customer_rating
    return Change(((EventType.RATED, rated),), details={"rating_before": before})
