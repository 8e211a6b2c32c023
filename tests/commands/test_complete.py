"""Complete: the engineer's work on the ticket is done, one way or the other."""

from __future__ import annotations

from decimal import Decimal

import pytest

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.complete import CompleteAssignment, complete_assignment
from app.commands.start import StartAssignment, start_assignment
from app.domain.errors import AssignmentNotFound, Forbidden, InvalidInput, TransitionNotAllowed
from app.domain.model import AssignmentStatus, CompletionStatus, PartUsed, TicketStatus
from tests.commands.world import NOTHING
from tests.factories import AUDITOR, as_engineer

COIL = PartUsed("RF-7", "RF coil", 2, Decimal("1200.50"))


def done(assignment_id, outcome=CompletionStatus.SUCCESS, hours="1.5", **more):
    return CompleteAssignment(
        assignment_id=assignment_id, completion_status=outcome, time_spent_hours=Decimal(hours), **more
    )


async def started(make, world):
    held = await make.assigned()
    return await world.run(start_assignment, StartAssignment(assignment_id=held.id))


@pytest.mark.parametrize(
    ("outcome", "status", "ticket_status", "event"),
    [
        (CompletionStatus.SUCCESS, AssignmentStatus.COMPLETED, TicketStatus.RESOLVED, "completed"),
        (CompletionStatus.PARTS_REQUIRED, AssignmentStatus.COMPLETED, TicketStatus.ON_HOLD, "completed"),
        (
            CompletionStatus.CUSTOMER_UNAVAILABLE,
            AssignmentStatus.COMPLETED,
            TicketStatus.ON_HOLD,
            "completed",
        ),
        (CompletionStatus.FAILED, AssignmentStatus.FAILED, TicketStatus.NEW, "failed"),
    ],
)
async def test_the_outcome_says_what_the_ticket_becomes(make, world, outcome, status, ticket_status, event):
    held = await started(make, world)
    completed = await world.run(complete_assignment, done(held.id, outcome), as_engineer(held.engineer_id))
    ticket = await world.ticket(held.ticket_id)
    assert (completed.status, completed.completion_status) == (status, outcome)
    assert ticket.status is ticket_status
    assert ticket.resolved_at == (completed.completed_at if ticket_status is TicketStatus.RESOLVED else None)
    assert (await world.events(held.ticket_id))[-1][0] == event


async def test_everything_that_was_said_is_kept(make, world):
    held = await started(make, world)
    said = {"diagnosis": "no signal", "actions_taken": "new coil", "parts_used": (COIL,), "notes": "😀 ok"}
    completed = await world.run(complete_assignment, done(held.id, hours="0", **said))
    [stored] = await world.history(held.ticket_id)
    assert completed == stored
    assert {name: getattr(stored, name) for name in said} == said
    assert stored.time_spent_hours == 0


async def test_what_is_accepted_may_be_completed_and_what_is_only_assigned_may_not(make, world):
    held = await make.assigned()
    with pytest.raises(TransitionNotAllowed):
        await world.run(complete_assignment, done(held.id))
    await world.run(accept_assignment, AcceptAssignment(assignment_id=held.id))
    completed = await world.run(complete_assignment, done(held.id))
    assert completed.status is AssignmentStatus.COMPLETED
    with pytest.raises(TransitionNotAllowed, match="Cannot complete an assignment that is completed"):
        await world.run(complete_assignment, done(held.id))


async def test_completing_as_escalated_points_to_escalate(make, world):
    held = await started(make, world)
    with pytest.raises(InvalidInput, match="use escalateTicket") as refused:
        await world.run(complete_assignment, done(held.id, CompletionStatus.ESCALATED))
    assert refused.value.field == "completionStatus"


@pytest.mark.parametrize("hours", ["-0.01", "1000", "999.991", "0.005", "NaN", "Infinity"])
def test_hours_have_bounds(hours):
    with pytest.raises(InvalidInput, match="timeSpentHours must be 0 to 999"):
        done(NOTHING, hours=hours)


@pytest.mark.parametrize(
    ("part", "field"),
    [
        (PartUsed("", "coil", 1, Decimal(1)), "partsUsed.0.partNumber"),
        (PartUsed("7", "coil", 0, Decimal(1)), "partsUsed.0.quantity"),
        (PartUsed("7", "coil", 1, Decimal(-1)), "partsUsed.0.cost"),
    ],
)
def test_parts_have_bounds(part, field):
    with pytest.raises(InvalidInput) as refused:
        done(NOTHING, parts_used=(part,))
    assert refused.value.field == field


def test_there_are_a_hundred_parts_at_most():
    with pytest.raises(InvalidInput, match="100 parts at most"):
        done(NOTHING, parts_used=(COIL,) * 101)


async def test_only_ones_own(make, world):
    held = await started(make, world)
    for assignment, actor in (
        (held.id, as_engineer(await make.engineer())),
        (NOTHING, as_engineer(held.engineer_id)),
    ):
        with pytest.raises(AssignmentNotFound):
            await world.run(complete_assignment, done(assignment), actor)
    with pytest.raises(Forbidden):
        await world.run(complete_assignment, done(held.id), AUDITOR)
