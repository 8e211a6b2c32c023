"""Assign a ticket that has no current assignment to an engineer."""

import asyncio
from collections import Counter

import pytest

from app.commands.assign import AssignTicket, assign_ticket
from app.domain.errors import InvalidInput, StaleSequence, TicketAlreadyAssigned
from app.domain.model import AssignmentStatus, AssignmentType, EngineerId, TicketStatus
from tests.commands.world import outcome


async def test_assign_creates_an_assignment(make, world):
    equipment = await make.equipment()
    ticket, engineer = await make.ticket(equipment_id=equipment), await make.engineer()
    command = AssignTicket(ticket_id=ticket, engineer_id=engineer, tier=2, reason=" knows it ")
    result = await world.run(assign_ticket, command)
    [stored] = await world.history(ticket)
    assert result == stored
    assert (stored.assignment_sequence, stored.status) == (1, AssignmentStatus.ASSIGNED)
    assert (stored.assignment_tier, stored.assignment_tier_name) == (2, "Dealer")
    assert (stored.engineer_id, stored.equipment_id) == (engineer, equipment)
    assert (stored.assignment_reason, stored.assignment_type) == ("knows it", AssignmentType.MANUAL)
    assert stored.assigned_by == "dispatcher@test"
    assert (await world.ticket(ticket)).status is TicketStatus.ASSIGNED
    assert await world.events(ticket) == [("assigned", 1, "dispatcher@test")]


async def test_assigned_ticket_is_refused_with_its_assignment(make, world):
    assigned = await make.assigned()
    command = AssignTicket(ticket_id=assigned.ticket_id, engineer_id=await make.engineer())
    with pytest.raises(TicketAlreadyAssigned) as refused:
        await world.run(assign_ticket, command)
    assert refused.value.current_assignment == assigned
    assert len(await world.history(assigned.ticket_id)) == 1


async def test_stale_sequence_is_refused_with_the_current_assignment(make, world):
    assigned = await make.assigned()
    engineer = await make.engineer()
    command = AssignTicket(ticket_id=assigned.ticket_id, engineer_id=engineer, expected_sequence=0)
    with pytest.raises(StaleSequence) as refused:
        await world.run(assign_ticket, command)
    assert (refused.value.current_sequence, refused.value.current_assignment) == (1, assigned)
    await world.act("reject", assigned)
    with pytest.raises(StaleSequence) as refused:
        await world.run(assign_ticket, command)
    assert (refused.value.current_sequence, refused.value.current_assignment) == (1, None)


@pytest.mark.parametrize("kind", sorted(set(AssignmentType) - {AssignmentType.MANUAL}))
async def test_a_client_cannot_claim_another_type(make, world, kind):
    command = AssignTicket(ticket_id=await make.ticket(), engineer_id=await make.engineer(), type=kind)
    with pytest.raises(InvalidInput, match="type must be MANUAL or omitted"):
        await world.run(assign_ticket, command)


async def test_one_of_fifty_concurrent_assigns_succeeds(make, world):
    ticket = await make.ticket()
    engineers = [EngineerId(await make.engineer(f"Engineer {n}")) for n in range(50)]
    commands = [AssignTicket(ticket_id=ticket, engineer_id=engineer) for engineer in engineers]
    results = await asyncio.gather(*(outcome(world.run(assign_ticket, command)) for command in commands))
    assert Counter(type(r).__name__ for r in results) == {"Assignment": 1, "TicketAlreadyAssigned": 49}
    [assigned] = await world.history(ticket)
    assert all(r.current_assignment == assigned for r in results if isinstance(r, TicketAlreadyAssigned))


async def test_the_tier_is_the_one_that_was_asked_last(make, world):
    ticket = await make.ticket()
    for tier, expected in ((None, 1), (3, 3), (None, 3)):
        command = AssignTicket(ticket_id=ticket, engineer_id=await make.engineer(), tier=tier)
        assigned = await world.run(assign_ticket, command)
        assert assigned.assignment_tier == expected
        await world.act("cancel", assigned)
