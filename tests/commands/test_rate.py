"""Record the customer's rating of an assignment that has ended."""

import pytest

from app.commands.rate import RateAssignment, rate_assignment
from app.domain.errors import TransitionNotAllowed
from app.domain.model import AssignmentStatus


async def test_later_rating_replaces_the_earlier_one(make, world):
    assigned = await make.assigned()
    await world.escalate(assigned, await make.engineer())
    await world.run(rate_assignment, RateAssignment(assignment_id=assigned.id, rating=2, feedback="late"))
    rated = await world.run(rate_assignment, RateAssignment(assignment_id=assigned.id, rating=5))
    [stored, _] = await world.history(assigned.ticket_id)
    assert rated == stored
    assert (stored.customer_rating, stored.customer_feedback) == (5, None)
    assert stored.status is AssignmentStatus.ESCALATED
    assert [e[:2] for e in await world.events(assigned.ticket_id)][-2:] == [("rated", 1), ("rated", 1)]


async def test_active_assignment_cannot_be_rated(make, world):
    command = RateAssignment(assignment_id=(await make.assigned()).id, rating=5)
    with pytest.raises(TransitionNotAllowed):
        await world.run(rate_assignment, command)
