"""A repeat with the same idempotency key and input changes nothing and returns the same assignment."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.complete import CompleteAssignment, complete_assignment
from app.commands.run import hash_command
from app.domain.errors import IdempotencyKeyReused, TransitionNotAllowed
from app.domain.model import CompletionStatus, PartUsed
from tests.commands.world import NOTHING, outcome
from tests.factories import ADMIN


async def test_repeat_returns_the_assignment_as_later_changes_left_it(make, world):
    ticket = await make.ticket()
    command = AssignTicket(ticket_id=ticket, engineer_id=await make.engineer())
    first = await world.run(assign_ticket, command, key="k")
    accepted = await world.act("accept", first)
    events = await world.events(ticket)
    assert await world.run(assign_ticket, command, key="k") == accepted
    assert await world.events(ticket) == events


async def test_key_with_other_input_is_refused_on_any_ticket(make, world):
    assigned = await make.assigned()
    await world.act("accept", assigned, key="k")
    elsewhere = AssignTicket(ticket_id=await make.ticket(), engineer_id=assigned.engineer_id)
    with pytest.raises(IdempotencyKeyReused):
        await world.act("escalate", assigned, key="k", next_engineer_id=await make.engineer())
    with pytest.raises(IdempotencyKeyReused):
        await world.run(assign_ticket, elsewhere, key="k")
    assert await world.history(elsewhere.ticket_id) == []


async def test_key_belongs_to_its_actor(make, world):
    assigned = await make.assigned()
    await world.act("accept", assigned, key="k")
    with pytest.raises(TransitionNotAllowed):
        await world.act("accept", assigned, ADMIN, key="k")


async def test_refusal_leaves_the_key_free(make, world):
    assigned = await make.assigned()
    with pytest.raises(TransitionNotAllowed):
        await world.act("rate", assigned, key="k")
    assert (await world.act("accept", assigned, key="k")).id == assigned.id


async def test_concurrent_duplicates_make_one_change_and_return_one_result(make, world):
    command = AssignTicket(ticket_id=await make.ticket(), engineer_id=await make.engineer())
    results = await asyncio.gather(*(world.run(assign_ticket, command, key="k") for _ in range(10)))
    assert await world.history(command.ticket_id) == [results[0]]
    assert all(result == results[0] for result in results)


async def test_concurrent_commands_with_one_key_make_one_change(make, world):
    engineer = await make.engineer()
    commands = [AssignTicket(ticket_id=await make.ticket(), engineer_id=engineer) for _ in range(8)]
    results = await asyncio.gather(
        *(outcome(world.run(assign_ticket, command, key="k")) for command in commands)
    )
    assert (
        sorted(type(result).__name__ for result in results) == ["Assignment"] + ["IdempotencyKeyReused"] * 7
    )
    assert sum([len(await world.history(command.ticket_id)) for command in commands]) == 1


COMPLETION = CompleteAssignment(
    assignment_id=NOTHING,
    completion_status=CompletionStatus.SUCCESS,
    time_spent_hours=Decimal("1.5"),
    parts_used=(PartUsed("P-1", "Fuse", 2, Decimal(12)),),
    notes=" all well ",
)


def test_hash_is_the_same_in_every_process_and_release():
    digest = "b579677266f75f54a67584671bef157adfb2c510186abe6454018b47dc118794"
    assert hash_command(COMPLETION).hex() == digest


@pytest.mark.parametrize(
    "values",
    [
        {"time_spent_hours": Decimal("1.50")},
        {"time_spent_hours": Decimal("1.500")},
        {"time_spent_hours": Decimal("15E-1")},
        {"parts_used": (PartUsed("P-1 ", " Fuse", 2, Decimal("12.00")),)},
        {"notes": "all well", "diagnosis": "  "},
    ],
    ids=str,
)
def test_equal_input_has_an_equal_hash(values):
    assert hash_command(replace(COMPLETION, **values)) == hash_command(COMPLETION)


@pytest.mark.parametrize(
    "values",
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
def test_other_input_has_another_hash(values):
    assert hash_command(replace(COMPLETION, **values)) != hash_command(COMPLETION)


async def test_repeat_may_spell_its_hours_differently(make, world):
    assigned = await make.assigned()
    await world.act("accept", assigned)
    first = await world.run(complete_assignment, replace(COMPLETION, assignment_id=assigned.id), key="k")
    again = replace(COMPLETION, assignment_id=assigned.id, time_spent_hours=Decimal("1.500"))
    assert await world.run(complete_assignment, again, key="k") == first
    assert first.time_spent_hours == Decimal("1.50")
