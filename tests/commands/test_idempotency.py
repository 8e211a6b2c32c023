"""A repeat under the same key changes nothing and answers the same."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.assign import AssignTicket, assign_ticket
from app.commands.complete import CompleteAssignment, complete_assignment
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.rate import RateAssignment, rate_assignment
from app.commands.run import hash_command
from app.domain.errors import IdempotencyKeyReused, TransitionNotAllowed
from app.domain.model import CompletionStatus, PartUsed
from tests.commands.world import NOTHING, outcome
from tests.factories import ADMIN


async def test_a_repeat_answers_as_the_first_time_though_the_world_has_moved_on(make, world):
    ticket = await make.ticket()
    command = AssignTicket(ticket_id=ticket, engineer_id=await make.engineer())
    first = await world.run(assign_ticket, command, key="k")
    await world.run(accept_assignment, AcceptAssignment(assignment_id=first.id))
    events = await world.events(ticket)
    assert await world.run(assign_ticket, command, key="k") == first
    assert await world.events(ticket) == events


async def test_the_same_key_with_another_wish_is_refused_on_any_ticket(make, world):
    held = await make.assigned()
    await world.run(accept_assignment, AcceptAssignment(assignment_id=held.id), key="k")
    command = EscalateTicket(ticket_id=held.ticket_id, next_engineer_id=await make.engineer(), reason="x")
    elsewhere = AssignTicket(ticket_id=await make.ticket(), engineer_id=held.engineer_id)
    for decide, other in ((escalate_ticket, command), (assign_ticket, elsewhere)):
        with pytest.raises(IdempotencyKeyReused):
            await world.run(decide, other, key="k")
    assert await world.history(elsewhere.ticket_id) == []


async def test_keys_belong_to_their_actor(make, world):
    held = await make.assigned()
    command = AcceptAssignment(assignment_id=held.id)
    await world.run(accept_assignment, command, key="k")
    with pytest.raises(TransitionNotAllowed):
        await world.run(accept_assignment, command, ADMIN, key="k")


async def test_a_refusal_leaves_the_key_free(make, world):
    held = await make.assigned()
    command = RateAssignment(assignment_id=held.id, rating=5)
    with pytest.raises(TransitionNotAllowed):
        await world.run(rate_assignment, command, key="k")
    accepted = await world.run(accept_assignment, AcceptAssignment(assignment_id=held.id), key="k")
    assert accepted.id == held.id


async def test_twins_at_once_make_one_change_and_get_one_answer(make, world):
    command = AssignTicket(ticket_id=await make.ticket(), engineer_id=await make.engineer())
    got = await asyncio.gather(*(world.run(assign_ticket, command, key="k") for _ in range(10)))
    assert await world.history(command.ticket_id) == [got[0]]
    assert all(g == got[0] for g in got)


async def test_twins_on_two_tickets_make_one_change(make, world):
    engineer = await make.engineer()
    wishes = [AssignTicket(ticket_id=await make.ticket(), engineer_id=engineer) for _ in range(8)]
    got = await asyncio.gather(*(outcome(world.run(assign_ticket, command, key="k")) for command in wishes))
    assert sorted(type(g).__name__ for g in got) == ["Assignment"] + ["IdempotencyKeyReused"] * 7
    assert sum([len(await world.history(command.ticket_id)) for command in wishes]) == 1


DONE = CompleteAssignment(
    assignment_id=NOTHING,
    completion_status=CompletionStatus.SUCCESS,
    time_spent_hours=Decimal("1.5"),
    parts_used=(PartUsed("P-1", "Fuse", 2, Decimal(12)),),
    notes=" all well ",
)


def test_a_wish_is_known_again_by_every_process_and_release():
    digest = "b579677266f75f54a67584671bef157adfb2c510186abe6454018b47dc118794"
    assert hash_command(DONE).hex() == digest


@pytest.mark.parametrize(
    "same",
    [
        {"time_spent_hours": Decimal("1.50")},
        {"time_spent_hours": Decimal("1.500")},
        {"time_spent_hours": Decimal("15E-1")},
        {"parts_used": (PartUsed("P-1 ", " Fuse", 2, Decimal("12.00")),)},
        {"notes": "all well", "diagnosis": "  "},
    ],
    ids=str,
)
def test_what_means_the_same_is_the_same_wish(same):
    assert hash_command(replace(DONE, **same)) == hash_command(DONE)


@pytest.mark.parametrize(
    "other",
    [
        {"time_spent_hours": Decimal("1.51")},
        {"completion_status": CompletionStatus.FAILED},
        {"parts_used": (PartUsed("P-1", "Fuse", 3, Decimal(12)),)},
        {"parts_used": ()},
        {"notes": None},
        {"notes": None, "diagnosis": "all well"},
    ],
    ids=str,
)
def test_what_means_another_is_another_wish(other):
    assert hash_command(replace(DONE, **other)) != hash_command(DONE)


async def test_a_repeat_may_write_its_hours_otherwise(make, world):
    held = await make.assigned()
    await world.run(accept_assignment, AcceptAssignment(assignment_id=held.id))
    first = await world.run(complete_assignment, replace(DONE, assignment_id=held.id), key="k")
    again = replace(DONE, assignment_id=held.id, time_spent_hours=Decimal("1.500"))
    assert await world.run(complete_assignment, again, key="k") == first
    assert first.time_spent_hours == Decimal("1.50")
