"""Escalate a ticket to an engineer at a higher tier."""

import asyncio
from collections import Counter

import pytest

from app.domain.errors import (
    AssignmentNotFound,
    EngineerNotFound,
    NoHigherTier,
    StaleSequence,
    TicketNotFound,
    TierNotHigher,
)
from app.domain.model import AssignmentStatus, AssignmentType, CompletionStatus, TicketStatus
from tests.commands.world import outcome
from tests.factories import as_engineer


@pytest.fixture
def escalate(make, world):
    """Escalate to a new engineer."""

    async def escalate(assignment, **values):
        engineer = await make.engineer("Bo Berg")
        return await world.act("escalate", assignment, next_engineer_id=engineer, **values)

    return escalate


async def test_escalate_ends_the_assignment_and_assigns_one_tier_higher(make, world, escalate):
    assigned = await make.assigned()
    result = await escalate(assigned, reason="cold head")
    old, new = await world.history(assigned.ticket_id)
    assert (old.id, old.status) == (assigned.id, AssignmentStatus.ESCALATED)
    assert old.completion_status is CompletionStatus.ESCALATED
    assert (old.escalation_reason, old.completed_at) == ("cold head", new.assigned_at)
    assert new == result
    assert (new.assignment_sequence, new.assignment_tier, new.assignment_tier_name) == (2, 2, "Dealer")
    assert (new.status, new.assignment_type) == (AssignmentStatus.ASSIGNED, AssignmentType.ESCALATION)
    assert new.assignment_reason == "cold head"
    assert (await world.ticket(assigned.ticket_id)).status is TicketStatus.ASSIGNED
    events = [event[:2] for event in await world.events(assigned.ticket_id)]
    assert events == [("assigned", 1), ("escalated", 1), ("assigned", 2)]


async def test_accepted_assignment_keeps_its_times(make, world, escalate):
    accepted = await world.act("accept", await make.assigned())
    await escalate(accepted, next_tier=4, next_tier_name="Acme")
    old, new = await world.history(accepted.ticket_id)
    assert old.accepted_at == accepted.accepted_at
    assert (new.assignment_tier, new.assignment_tier_name) == (4, "Acme")


async def test_highest_tier_cannot_be_escalated(make, escalate):
    with pytest.raises(NoHigherTier):
        await escalate(await make.assigned(tier=5))


async def test_next_tier_must_be_higher(make, escalate):
    with pytest.raises(TierNotHigher) as refused:
        await escalate(await make.assigned(tier=3), next_tier=3)
    assert (refused.value.current_tier, refused.value.next_tier) == (3, 3)


async def test_second_escalation_with_the_same_sequence_is_stale(make, escalate):
    assigned = await make.assigned()
    current = await escalate(assigned, expected_sequence=1)
    with pytest.raises(StaleSequence) as refused:
        await escalate(assigned, expected_sequence=1)
    assert (refused.value.current_sequence, refused.value.current_assignment) == (2, current)


async def test_sequence_continues_after_a_cancellation(make, world):
    cancelled = await world.act("cancel", await make.assigned())
    assert (await make.assigned(ticket=cancelled.ticket_id)).assignment_sequence == 2


@pytest.mark.parametrize(
    ("sequence", "results"),
    [(None, {"Assignment": 4, "NoHigherTier": 6}), (1, {"Assignment": 1, "StaleSequence": 9})],
)
async def test_concurrent_escalations_follow_each_other(make, world, sequence, results):
    """To the highest tier, unless they expect the same assignment."""
    assigned = await make.assigned()
    engineers = [await make.engineer() for _ in range(10)]
    values = {"expected_sequence": sequence}
    escalating = (world.act("escalate", assigned, next_engineer_id=e, **values) for e in engineers)
    outcomes = await asyncio.gather(*map(outcome, escalating))
    assert Counter(type(each).__name__ for each in outcomes) == results
    history = [(a.assignment_sequence, a.assignment_tier) for a in await world.history(assigned.ticket_id)]
    assert history == [(n, n) for n in range(1, results["Assignment"] + 2)]


async def test_the_assigned_engineer_escalates_to_whom_the_rule_chooses(make, world):
    assigned = await make.assigned()
    busy, idle, inactive = await make.engineer(), await make.engineer(), await make.engineer(is_active=False)
    for engineer in (busy, idle, inactive, assigned.engineer_id):
        await make.member(engineer, 3)
    await make.assigned(engineer=busy)
    result = await world.act(
        "escalate", assigned, as_engineer(assigned.engineer_id), next_engineer_id=None, time_spent_hours=2
    )
    ended, current = await world.history(assigned.ticket_id)
    assert (current, current.engineer_id, current.assignment_tier) == (result, idle, 3)
    assert current.assignment_type is AssignmentType.ESCALATION
    assert ended.time_spent_hours == 2
    event = await world.last_event(assigned.ticket_id)
    assert (event.details["chosen_by"], event.details["next_tier"]) == ("rule", 3)


async def test_without_anybody_the_ticket_waits_at_the_next_tier(make, world):
    assigned = await make.assigned()
    result = await world.act("escalate", assigned, next_engineer_id=None)
    assert (result.id, result.status) == (assigned.id, AssignmentStatus.ESCALATED)
    ticket, details = await world.ticket(assigned.ticket_id), await world.details(assigned.ticket_id)
    assert (ticket.status, details.next_tier) == (TicketStatus.NEW, 2)
    assert details.waiting_since == result.completed_at
    again = await world.act("assign", assigned, engineer_id=await make.engineer(), tier=None)
    assert (again.assignment_tier, (await world.details(assigned.ticket_id)).next_tier) == (2, None)


async def test_an_engineer_names_only_members_of_the_next_tier(make, world):
    assigned = await make.assigned()
    engineer, other = as_engineer(assigned.engineer_id), await make.engineer()
    with pytest.raises(EngineerNotFound):
        await world.act("escalate", assigned, engineer, next_engineer_id=other)
    await make.member(other, 2)
    assert (await world.act("escalate", assigned, engineer, next_engineer_id=other)).engineer_id == other
    with pytest.raises((TicketNotFound, AssignmentNotFound)):
        await world.act("escalate", assigned, engineer, next_engineer_id=None)
