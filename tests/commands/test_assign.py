"""Assign: give a ticket that nobody holds to an engineer."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.reject import RejectAssignment, reject_assignment
from app.domain.errors import (
    EngineerInactive,
    EngineerNotFound,
    Forbidden,
    InvalidInput,
    StaleSequence,
    TicketAlreadyAssigned,
    TicketNotFound,
    TicketNotOpen,
)
from app.domain.model import AssignmentStatus, AssignmentType, EngineerId, TicketId, TicketStatus
from tests.commands.world import NOBODY, outcome
from tests.factories import AUDITOR, as_engineer


async def test_assigning_creates_the_right_row(make, world):
    equipment = await make.equipment()
    ticket, engineer = await make.ticket(equipment_id=equipment), await make.engineer()
    command = AssignTicket(ticket_id=ticket, engineer_id=engineer, tier=2, reason=" knows it ")
    got = await world.run(assign_ticket, command)
    [stored] = await world.history(ticket)
    assert got == stored
    assert (stored.assignment_sequence, stored.status) == (1, AssignmentStatus.ASSIGNED)
    assert (stored.assignment_tier, stored.assignment_tier_name) == (2, "Dealer")
    assert (stored.engineer_id, stored.equipment_id) == (engineer, equipment)
    assert (stored.assignment_reason, stored.assignment_type) == ("knows it", AssignmentType.MANUAL)
    assert stored.assigned_by == "dispatcher@test"
    assert (await world.ticket(ticket)).status is TicketStatus.ASSIGNED
    assert await world.events(ticket) == [("assigned", 1, "dispatcher@test")]


async def test_a_held_ticket_says_who_holds_it(make, world):
    held = await make.assigned()
    command = AssignTicket(ticket_id=held.ticket_id, engineer_id=await make.engineer())
    with pytest.raises(TicketAlreadyAssigned) as refused:
        await world.run(assign_ticket, command)
    assert refused.value.current_assignment == held
    assert len(await world.history(held.ticket_id)) == 1


@pytest.mark.parametrize("status", ["resolved", "closed", "cancelled"])
async def test_an_ended_ticket_takes_no_assignment(make, world, status):
    ticket = await make.ticket(status=status)
    with pytest.raises(TicketNotOpen):
        await world.run(assign_ticket, AssignTicket(ticket_id=ticket, engineer_id=await make.engineer()))
    assert (await world.ticket(ticket)).status == status


async def test_a_ticket_that_is_not_there_is_not_found(make, world):
    command = AssignTicket(ticket_id=TicketId("TICKET-0"), engineer_id=await make.engineer())
    with pytest.raises(TicketNotFound):
        await world.run(assign_ticket, command)


async def test_only_an_active_engineer_is_given_work(make, world):
    ticket, asleep = await make.ticket(), await make.engineer(is_active=False)
    with pytest.raises(EngineerInactive):
        await world.run(assign_ticket, AssignTicket(ticket_id=ticket, engineer_id=asleep))
    with pytest.raises(EngineerNotFound):
        await world.run(assign_ticket, AssignTicket(ticket_id=ticket, engineer_id=NOBODY))


async def test_a_caller_who_saw_an_older_sequence_is_told_the_newer(make, world):
    held = await make.assigned()
    command = AssignTicket(ticket_id=held.ticket_id, engineer_id=await make.engineer(), expected_sequence=0)
    with pytest.raises(StaleSequence) as refused:
        await world.run(assign_ticket, command)
    assert (refused.value.current_sequence, refused.value.current_assignment) == (1, held)
    await world.run(reject_assignment, RejectAssignment(assignment_id=held.id, reason="x"))
    with pytest.raises(StaleSequence) as refused:
        await world.run(assign_ticket, command)
    assert (refused.value.current_sequence, refused.value.current_assignment) == (1, None)


@pytest.mark.parametrize("kind", [AssignmentType.ESCALATION, AssignmentType.REASSIGNMENT])
async def test_a_type_that_another_mutation_makes_is_refused(make, world, kind):
    command = AssignTicket(ticket_id=await make.ticket(), engineer_id=await make.engineer(), type=kind)
    with pytest.raises(InvalidInput, match="type must be AUTO or MANUAL"):
        await world.run(assign_ticket, command)


async def test_engineers_and_auditors_do_not_assign(make, world):
    engineer = await make.engineer()
    command = AssignTicket(ticket_id=await make.ticket(), engineer_id=engineer)
    for actor in (AUDITOR, as_engineer(engineer)):
        with pytest.raises(Forbidden):
            await world.run(assign_ticket, command, actor)


async def test_of_fifty_assigns_at_once_one_wins_and_the_others_are_told_who_did(make, world):
    ticket = await make.ticket()
    engineers = [EngineerId(await make.engineer(f"Engineer {n}")) for n in range(50)]
    wishes = [AssignTicket(ticket_id=ticket, engineer_id=engineer) for engineer in engineers]
    got = await asyncio.gather(*(outcome(world.run(assign_ticket, command)) for command in wishes))
    assert Counter(type(g).__name__ for g in got) == {"Assignment": 1, "TicketAlreadyAssigned": 49}
    [held] = await world.history(ticket)
    assert all(g.current_assignment == held for g in got if isinstance(g, TicketAlreadyAssigned))
