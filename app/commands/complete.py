"""Complete: the engineer's work on the ticket is done, one way or the other."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from app.commands.command import ALWAYS, Command, command, given
from app.commands.ticket_state import Change, LockedTicket
from app.domain import values
from app.domain.errors import AssignmentNotFound, InvalidInput, TransitionNotAllowed
from app.domain.lifecycle import AFTER_COMPLETE, Action, EventType
from app.domain.model import AssignmentId, AssignmentStatus, CompletionStatus, PartUsed

REFUSALS = (AssignmentNotFound, TransitionNotAllowed, *ALWAYS)


@command
class CompleteAssignment(Command):
    """End an assignment with its outcome and hours. To hand the ticket up instead, escalate."""

    action = Action.COMPLETE
    assignment_id: AssignmentId = given("The assignment to complete.", values.assignment_id)
    completion_status: CompletionStatus = given("The outcome. ESCALATED is refused: escalate the ticket.")
    time_spent_hours: Decimal = given("Hours worked, 0 to 999.99, two decimals at most.", values.hours)
    diagnosis: str | None = given("What was wrong.", values.text(values.LONG), default=None)
    actions_taken: str | None = given("What was done.", values.text(values.LONG), default=None)
    parts_used: tuple[PartUsed, ...] = given("The parts that were used.", values.parts, default=())
    notes: str | None = given("Anything else worth keeping.", values.text(values.LONG), default=None)


def complete_assignment(wish: CompleteAssignment, locked: LockedTicket) -> Change:
    if wish.completion_status not in AFTER_COMPLETE:
        raise InvalidInput("completionStatus", "must not be ESCALATED; use escalateTicket")
    status, ticket_status = AFTER_COMPLETE[wish.completion_status]
    completed = replace(
        locked.assignment_to(wish.action),
        status=status,
        completed_at=locked.now,
        completion_status=wish.completion_status,
        time_spent_hours=wish.time_spent_hours,
        diagnosis=wish.diagnosis,
        actions_taken=wish.actions_taken,
        parts_used=wish.parts_used,
        notes=wish.notes,
        updated_at=locked.now,
    )
    event = EventType.FAILED if status is AssignmentStatus.FAILED else EventType.COMPLETED
    return Change(((event, completed),), ticket_status)
