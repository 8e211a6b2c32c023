"""Rate: keep what the customer said of an engineer's work."""

from __future__ import annotations

from dataclasses import replace

from app.commands.command import COMMON_REFUSALS, Command, command_dataclass, command_field
from app.commands.ticket_state import Change, TicketState
from app.domain import values
from app.domain.errors import AssignmentNotFound, TransitionNotAllowed
from app.domain.lifecycle import Action, EventType
from app.domain.model import AssignmentId

REFUSALS = (AssignmentNotFound, TransitionNotAllowed, *COMMON_REFUSALS)


@command_dataclass
class RateAssignment(Command):
    """Keep the customer's rating of work that has ended. A later rating replaces an earlier one."""

    action = Action.RATE
    assignment_id: AssignmentId = command_field("The assignment that is rated.", values.assignment_id)
    rating: int = command_field("1, the worst, to 5, the best.", values.rating)
    feedback: str | None = command_field("The customer's words.", values.text(values.LONG), default=None)


def rate_assignment(command: RateAssignment, state: TicketState) -> Change:
    rated = replace(
        state.assignment_for(command.action),
        customer_rating=command.rating,
        customer_feedback=command.feedback,
        updated_at=state.now,
    )
    return Change(((EventType.RATED, rated),), ticket_status=None)
