"""Escalate: hand a ticket to an engineer at a higher tier."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.cancel import CancelAssignment, cancel_assignment
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.domain.errors import (
    EngineerInactive,
    EngineerNotFound,
    Forbidden,
    InvalidInput,
    NoCurrentAssignment,
    NoHigherTier,
    SameEngineer,
    StaleSequence,
    TicketNotFound,
    TicketNotOpen,
    TierNotHigher,
)
from app.domain.model import AssignmentStatus, AssignmentType, CompletionStatus, TicketId, TicketStatus
from tests.commands.world import NOBODY, outcome
from tests.factories import as_engineer


@pytest.fixture
def escalation(make):
    async def command(ticket, **given):
        target_engineer_id = given.pop("next_engineer_id", None) or await make.engineer("Bo Berg")
        return EscalateTicket(
            ticket_id=ticket, next_engineer_id=target_engineer_id, reason="cold head", **given
        )

    return command


async def test_escalating_ends_the_old_and_opens_the_next_a_tier_up(make, world, escalation):
    held = await make.assigned()
    opened = await world.run(escalate_ticket, await escalation(held.ticket_id))
    old, new = await world.history(held.ticket_id)
    assert (old.id, old.status, old.completion_status) == (
        held.id,
        AssignmentStatus.ESCALATED,
        CompletionStatus.ESCALATED,
    )
    assert (old.escalation_reason, old.completed_at) == ("cold head", new.assigned_at)
    assert new == opened
    assert (new.assignment_sequence, new.assignment_tier, new.assignment_tier_name) == (2, 2, "Dealer")
    assert (new.status, new.assignment_type) == (AssignmentStatus.ASSIGNED, AssignmentType.ESCALATION)
    assert new.assignment_reason == "cold head"
    assert (await world.ticket(held.ticket_id)).status is TicketStatus.ASSIGNED
    assert [(e[0], e[1]) for e in await world.events(held.ticket_id)] == [
        ("assigned", 1),
        ("escalated", 1),
        ("assigned", 2),
    ]


async def test_what_was_accepted_escalates_too_and_keeps_its_stamps(make, world, escalation):
    held = await make.assigned()
    accepted = await world.run(accept_assignment, AcceptAssignment(assignment_id=held.id))
    await world.run(escalate_ticket, await escalation(held.ticket_id, next_tier=4, next_tier_name="Acme"))
    old, new = await world.history(held.ticket_id)
    assert old.accepted_at == accepted.accepted_at
    assert (new.assignment_tier, new.assignment_tier_name) == (4, "Acme")


async def test_the_last_tier_has_none_above(make, world, escalation):
    held = await make.assigned(tier=5)
    with pytest.raises(NoHigherTier):
        await world.run(escalate_ticket, await escalation(held.ticket_id))


async def test_an_escalation_goes_up(make, world, escalation):
    held = await make.assigned(tier=3)
    with pytest.raises(TierNotHigher) as refused:
        await world.run(escalate_ticket, await escalation(held.ticket_id, next_tier=3))
    assert (refused.value.current_tier, refused.value.next_tier) == (3, 3)


async def test_nobody_to_escalate_from(make, world, escalation):
    with pytest.raises(NoCurrentAssignment):
        await world.run(escalate_ticket, await escalation(await make.ticket()))
    with pytest.raises(TicketNotFound):
        await world.run(escalate_ticket, await escalation(TicketId("TICKET-0")))


async def test_an_ended_ticket_that_somebody_still_holds_is_not_handed_on(make, world, escalation):
    held = await make.assigned()
    async with world.db.connection() as conn:
        await conn.execute("UPDATE service_tickets SET status = 'closed' WHERE id = $1", held.ticket_id)
    with pytest.raises(TicketNotOpen):
        await world.run(escalate_ticket, await escalation(held.ticket_id))


async def test_the_next_engineer_is_another_active_one(make, world, escalation):
    held = await make.assigned()
    asleep = await make.engineer(is_active=False)
    for engineer, refusal in (
        (held.engineer_id, SameEngineer),
        (asleep, EngineerInactive),
        (NOBODY, EngineerNotFound),
    ):
        with pytest.raises(refusal):
            await world.run(escalate_ticket, await escalation(held.ticket_id, next_engineer_id=engineer))
    assert await world.history(held.ticket_id) == [held]


async def test_a_caller_who_saw_an_older_sequence_escalates_nothing(make, world, escalation):
    held = await make.assigned()
    opened = await world.run(escalate_ticket, await escalation(held.ticket_id, expected_sequence=1))
    with pytest.raises(StaleSequence) as refused:
        await world.run(escalate_ticket, await escalation(held.ticket_id, expected_sequence=1))
    assert (refused.value.current_sequence, refused.value.current_assignment) == (2, opened)


async def test_a_reason_is_required(escalation, make):
    with pytest.raises(InvalidInput, match="reason must not be empty"):
        EscalateTicket(ticket_id=await make.ticket(), next_engineer_id=await make.engineer(), reason=" ")


async def test_engineers_do_not_escalate(make, world, escalation):
    held = await make.assigned()
    with pytest.raises(Forbidden):
        await world.run(escalate_ticket, await escalation(held.ticket_id), as_engineer(held.engineer_id))


async def test_sequences_go_on_after_a_gap_in_time(make, world, escalation):
    held = await make.assigned()
    await world.run(cancel_assignment, CancelAssignment(assignment_id=held.id, reason="wrong one"))
    again = await make.assigned(ticket=held.ticket_id)
    assert again.assignment_sequence == 2


async def test_ten_escalations_at_once_take_turns_up_to_the_last_tier(make, world, escalation):
    held = await make.assigned()
    wishes = [await escalation(held.ticket_id) for _ in range(10)]
    got = await asyncio.gather(*(outcome(world.run(escalate_ticket, command)) for command in wishes))
    assert Counter(type(g).__name__ for g in got) == {"Assignment": 4, "NoHigherTier": 6}
    history = await world.history(held.ticket_id)
    assert [(a.assignment_sequence, a.assignment_tier) for a in history] == [(n, n) for n in range(1, 6)]


async def test_of_ten_that_saw_the_same_sequence_one_wins(make, world, escalation):
    held = await make.assigned()
    wishes = [await escalation(held.ticket_id, expected_sequence=1) for _ in range(10)]
    got = await asyncio.gather(*(outcome(world.run(escalate_ticket, command)) for command in wishes))
    assert Counter(type(g).__name__ for g in got) == {"Assignment": 1, "StaleSequence": 9}
