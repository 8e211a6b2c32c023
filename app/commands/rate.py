"""Rate: keep what the customer said of an engineer's work."""

from __future__ import annotations

from dataclasses import replace

from app.commands.command import ALWAYS, Command, command, given
from app.commands.ticket_state import Change, LockedTicket
from app.domain import values
from app.domain.errors import AssignmentNotFound, TransitionNotAllowed
from app.domain.lifecycle import Action, EventType
from app.domain.model import AssignmentId

REFUSALS = (AssignmentNotFound, TransitionNotAllowed, *ALWAYS)


@command
class RateAssignment(Command):
    """Keep the customer's rating of work that has ended. A later rating replaces an earlier one."""

    action = Action.RATE
    assignment_id: AssignmentId = given("The assignment that is rated.", values.assignment_id)
    rating: int = given("1, the worst, to 5, the best.", values.rating)
    feedback: str | None = given("The customer's words.", values.text(values.LONG), default=None)


def rate_assignment(wish: RateAssignment, locked: LockedTicket) -> Change:
    rated = replace(
        locked.assignment_to(wish.action),
        customer_rating=wish.rating,
        customer_feedback=wish.feedback,
        updated_at=locked.now,
    )
    return Change(((EventType.RATED, rated),), ticket_status=None)
