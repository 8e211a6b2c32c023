"""Rate: keep what the customer said of an engineer's work."""

from __future__ import annotations

import pytest

from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.rate import RateAssignment, rate_assignment
from app.domain.errors import AssignmentNotFound, Forbidden, InvalidInput, TransitionNotAllowed
from app.domain.model import AssignmentStatus
from tests.commands.world import NOTHING
from tests.factories import AUDITOR, as_engineer


async def escalated(make, world):
    held = await make.assigned()
    command = EscalateTicket(ticket_id=held.ticket_id, next_engineer_id=await make.engineer(), reason="x")
    await world.run(escalate_ticket, command)
    return held


async def test_a_rating_comes_late_and_may_be_corrected(make, world):
    held = await escalated(make, world)
    await world.run(rate_assignment, RateAssignment(assignment_id=held.id, rating=2, feedback="late"))
    rated = await world.run(rate_assignment, RateAssignment(assignment_id=held.id, rating=5))
    [stored, _] = await world.history(held.ticket_id)
    assert rated == stored
    assert (stored.customer_rating, stored.customer_feedback) == (5, None)
    assert stored.status is AssignmentStatus.ESCALATED
    assert [e[:2] for e in await world.events(held.ticket_id)][-2:] == [("rated", 1), ("rated", 1)]


async def test_work_that_goes_on_is_not_rated(make, world):
    held = await make.assigned()
    with pytest.raises(TransitionNotAllowed):
        await world.run(rate_assignment, RateAssignment(assignment_id=held.id, rating=5))


@pytest.mark.parametrize("rating", [0, 6])
def test_a_rating_is_one_to_five(rating):
    with pytest.raises(InvalidInput, match="rating must be 1 to 5"):
        RateAssignment(assignment_id=NOTHING, rating=rating)


async def test_engineers_do_not_rate_themselves(make, world):
    held = await escalated(make, world)
    for actor in (AUDITOR, as_engineer(held.engineer_id)):
        with pytest.raises(Forbidden):
            await world.run(rate_assignment, RateAssignment(assignment_id=held.id, rating=5), actor)
    with pytest.raises(AssignmentNotFound):
        await world.run(rate_assignment, RateAssignment(assignment_id=NOTHING, rating=5))
