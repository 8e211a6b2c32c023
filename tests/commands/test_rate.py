"""Record the customer's rating of an assignment that has ended."""

from app.domain.model import AssignmentStatus


async def test_later_rating_replaces_the_earlier_one(make, world):
    assigned = await make.assigned()
    await world.escalate(assigned)
    await world.act("rate", assigned, rating=2, feedback="late")
    rated = await world.act("rate", assigned, rating=5)
    [stored, _] = await world.history(assigned.ticket_id)
    assert rated == stored
    assert (stored.customer_rating, stored.customer_feedback) == (5, None)
    assert stored.status is AssignmentStatus.ESCALATED
    assert [e[:2] for e in await world.events(assigned.ticket_id)][-2:] == [("rated", 1), ("rated", 1)]
