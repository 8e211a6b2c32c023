"""A repeat under the same key changes nothing and answers the same."""

from __future__ import annotations

import asyncio

import pytest

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.assign import AssignTicket, assign_ticket
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.rate import RateAssignment, rate_assignment
from app.domain.errors import IdempotencyKeyReused, TransitionNotAllowed
from tests.commands.world import outcome
from tests.make import ADMIN


async def test_a_repeat_answers_as_the_first_time_though_the_world_has_moved_on(make, world):
    ticket = await make.ticket()
    wish = AssignTicket(ticket_id=ticket, engineer_id=await make.engineer())
    first = await world.run(assign_ticket, wish, key="k")
    await world.run(accept_assignment, AcceptAssignment(assignment_id=first.id))
    events = await world.events(ticket)
    assert await world.run(assign_ticket, wish, key="k") == first
    assert await world.events(ticket) == events


async def test_the_same_key_with_another_wish_is_refused_on_any_ticket(make, world):
    held = await make.assigned()
    await world.run(accept_assignment, AcceptAssignment(assignment_id=held.id), key="k")
    wish = EscalateTicket(ticket_id=held.ticket_id, next_engineer_id=await make.engineer(), reason="x")
    elsewhere = AssignTicket(ticket_id=await make.ticket(), engineer_id=held.engineer_id)
    for decide, other in ((escalate_ticket, wish), (assign_ticket, elsewhere)):
        with pytest.raises(IdempotencyKeyReused):
            await world.run(decide, other, key="k")
    assert await world.history(elsewhere.ticket_id) == []


async def test_keys_belong_to_their_actor(make, world):
    held = await make.assigned()
    wish = AcceptAssignment(assignment_id=held.id)
    await world.run(accept_assignment, wish, key="k")
    with pytest.raises(TransitionNotAllowed):
        await world.run(accept_assignment, wish, ADMIN, key="k")


async def test_a_refusal_leaves_the_key_free(make, world):
    held = await make.assigned()
    wish = RateAssignment(assignment_id=held.id, rating=5)
    with pytest.raises(TransitionNotAllowed):
        await world.run(rate_assignment, wish, key="k")
    accepted = await world.run(accept_assignment, AcceptAssignment(assignment_id=held.id), key="k")
    assert accepted.id == held.id


async def test_twins_at_once_make_one_change_and_get_one_answer(make, world):
    wish = AssignTicket(ticket_id=await make.ticket(), engineer_id=await make.engineer())
    got = await asyncio.gather(*(world.run(assign_ticket, wish, key="k") for _ in range(10)))
    assert await world.history(wish.ticket_id) == [got[0]]
    assert all(g == got[0] for g in got)


async def test_twins_on_two_tickets_make_one_change(make, world):
    engineer = await make.engineer()
    wishes = [AssignTicket(ticket_id=await make.ticket(), engineer_id=engineer) for _ in range(8)]
    got = await asyncio.gather(*(outcome(world.run(assign_ticket, wish, key="k")) for wish in wishes))
    assert sorted(type(g).__name__ for g in got) == ["Assignment"] + ["IdempotencyKeyReused"] * 7
    assert sum([len(await world.history(wish.ticket_id)) for wish in wishes]) == 1
