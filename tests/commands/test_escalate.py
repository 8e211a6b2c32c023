"""Escalate a ticket to an engineer at a higher tier."""

import asyncio
from collections import Counter

import pytest

from app.commands.cancel import CancelAssignment, cancel_assignment
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.domain.errors import NoHigherTier, StaleSequence, TierNotHigher
from app.domain.model import AssignmentStatus, AssignmentType, CompletionStatus, TicketStatus
from tests.commands.world import outcome


@pytest.fixture
def escalation(make):
    async def command(ticket, **values):
        return EscalateTicket(
            ticket_id=ticket, next_engineer_id=await make.engineer("Bo Berg"), reason="cold head", **values
        )

    return command


async def test_escalate_ends_the_assignment_and_assigns_one_tier_higher(make, world, escalation):
    assigned = await make.assigned()
    result = await world.run(escalate_ticket, await escalation(assigned.ticket_id))
    old, new = await world.history(assigned.ticket_id)
    assert (old.id, old.status) == (assigned.id, AssignmentStatus.ESCALATED)
    assert old.completion_status is CompletionStatus.ESCALATED
    assert (old.escalation_reason, old.completed_at) == ("cold head", new.assigned_at)
    assert new == result
    assert (new.assignment_sequence, new.assignment_tier, new.assignment_tier_name) == (2, 2, "Dealer")
    assert (new.status, new.assignment_type) == (AssignmentStatus.ASSIGNED, AssignmentType.ESCALATION)
    assert new.assignment_reason == "cold head"
    assert (await world.ticket(assigned.ticket_id)).status is TicketStatus.ASSIGNED
    assert [(e[0], e[1]) for e in await world.events(assigned.ticket_id)] == [
        ("assigned", 1),
        ("escalated", 1),
        ("assigned", 2),
    ]


async def test_accepted_assignment_keeps_its_times(make, world, escalation):
    accepted = await world.accept(await make.assigned())
    command = await escalation(accepted.ticket_id, next_tier=4, next_tier_name="Acme")
    await world.run(escalate_ticket, command)
    old, new = await world.history(accepted.ticket_id)
    assert old.accepted_at == accepted.accepted_at
    assert (new.assignment_tier, new.assignment_tier_name) == (4, "Acme")


async def test_highest_tier_cannot_be_escalated(make, world, escalation):
    assigned = await make.assigned(tier=5)
    with pytest.raises(NoHigherTier):
        await world.run(escalate_ticket, await escalation(assigned.ticket_id))


async def test_next_tier_must_be_higher(make, world, escalation):
    assigned = await make.assigned(tier=3)
    with pytest.raises(TierNotHigher) as refused:
        await world.run(escalate_ticket, await escalation(assigned.ticket_id, next_tier=3))
    assert (refused.value.current_tier, refused.value.next_tier) == (3, 3)


async def test_second_escalation_with_the_same_sequence_is_stale(make, world, escalation):
    assigned = await make.assigned()
    current = await world.run(escalate_ticket, await escalation(assigned.ticket_id, expected_sequence=1))
    with pytest.raises(StaleSequence) as refused:
        await world.run(escalate_ticket, await escalation(assigned.ticket_id, expected_sequence=1))
    assert (refused.value.current_sequence, refused.value.current_assignment) == (2, current)


async def test_sequence_continues_after_a_cancellation(make, world):
    assigned = await make.assigned()
    await world.run(cancel_assignment, CancelAssignment(assignment_id=assigned.id, reason="wrong one"))
    again = await make.assigned(ticket=assigned.ticket_id)
    assert again.assignment_sequence == 2


async def test_concurrent_escalations_follow_each_other_to_the_highest_tier(make, world, escalation):
    assigned = await make.assigned()
    commands = [await escalation(assigned.ticket_id) for _ in range(10)]
    results = await asyncio.gather(*(outcome(world.run(escalate_ticket, command)) for command in commands))
    assert Counter(type(r).__name__ for r in results) == {"Assignment": 4, "NoHigherTier": 6}
    history = await world.history(assigned.ticket_id)
    assert [(a.assignment_sequence, a.assignment_tier) for a in history] == [(n, n) for n in range(1, 6)]


async def test_one_of_ten_escalations_with_the_same_sequence_succeeds(make, world, escalation):
    assigned = await make.assigned()
    commands = [await escalation(assigned.ticket_id, expected_sequence=1) for _ in range(10)]
    results = await asyncio.gather(*(outcome(world.run(escalate_ticket, command)) for command in commands))
    assert Counter(type(r).__name__ for r in results) == {"Assignment": 1, "StaleSequence": 9}
