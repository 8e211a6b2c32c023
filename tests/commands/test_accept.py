"""Accept an assignment: the engineer confirms it."""

import asyncio
from collections import Counter

import pytest

from app.domain.errors import TransitionNotAllowed
from app.domain.model import AssignmentStatus, TicketStatus
from tests.commands.world import outcome
from tests.factories import as_engineer


async def test_accept_sets_the_time_and_keeps_the_ticket_status(make, world):
    assigned = await make.assigned()
    accepted = await world.act("accept", assigned, as_engineer(assigned.engineer_id))
    assert [accepted] == await world.history(assigned.ticket_id)
    assert accepted.status is AssignmentStatus.ACCEPTED
    assert accepted.accepted_at == accepted.updated_at > assigned.assigned_at
    assert (await world.ticket(assigned.ticket_id)).status is TicketStatus.ASSIGNED
    assert (await world.events(assigned.ticket_id))[-1] == ("accepted", 1, f"engineer:{assigned.engineer_id}")


async def test_one_of_ten_concurrent_accepts_succeeds(make, world):
    assigned = await make.assigned()
    results = await asyncio.gather(*(outcome(world.act("accept", assigned)) for _ in range(10)))
    assert Counter(type(r).__name__ for r in results) == {"Assignment": 1, "TransitionNotAllowed": 9}
    [accepted] = await world.history(assigned.ticket_id)
    refusals = [r for r in results if isinstance(r, TransitionNotAllowed)]
    assert all(r.assignment == r.current_assignment == accepted for r in refusals)


async def test_accept_after_escalation_is_refused(make, world):
    assigned = await make.assigned()
    current = await world.escalate(assigned)
    with pytest.raises(TransitionNotAllowed, match="Cannot accept") as refused:
        await world.act("accept", assigned, as_engineer(assigned.engineer_id))
    assert refused.value.assignment.status is AssignmentStatus.ESCALATED
    assert refused.value.current_assignment == current
