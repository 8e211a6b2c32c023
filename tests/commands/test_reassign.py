"""Reassign: hand a ticket to a colleague at the same tier."""

from __future__ import annotations

import pytest

from app.commands.reassign import ReassignTicket, reassign_ticket
from app.domain.errors import (
    EngineerInactive,
    EngineerNotFound,
    Forbidden,
    InvalidInput,
    NoCurrentAssignment,
    SameEngineer,
    StaleSequence,
    TicketNotFound,
    TicketNotOpen,
)
from app.domain.model import AssignmentStatus, AssignmentType, TicketId, TicketStatus
from tests.commands.world import NOBODY
from tests.factories import AUDITOR, as_engineer


async def test_reassigning_cancels_the_old_and_opens_the_next_at_the_same_tier(make, world):
    held, colleague = await make.assigned(tier=3), await make.engineer("Bo Berg")
    await world.run(
        reassign_ticket,
        ReassignTicket(ticket_id=held.ticket_id, engineer_id=colleague, reason="on holiday"),
    )
    old, new = await world.history(held.ticket_id)
    assert (old.status, old.cancellation_reason, old.completed_at) == (
        AssignmentStatus.CANCELLED,
        "on holiday",
        new.assigned_at,
    )
    assert (new.assignment_sequence, new.assignment_tier, new.engineer_id) == (2, 3, colleague)
    assert (new.assignment_type, new.assignment_reason) == (AssignmentType.REASSIGNMENT, "on holiday")
    assert (await world.ticket(held.ticket_id)).status is TicketStatus.ASSIGNED
    assert [e[0] for e in await world.events(held.ticket_id)] == ["assigned", "reassigned", "assigned"]


async def test_the_next_engineer_is_another_active_one(make, world):
    held = await make.assigned()
    asleep = await make.engineer(is_active=False)
    for engineer, refusal in (
        (held.engineer_id, SameEngineer),
        (asleep, EngineerInactive),
        (NOBODY, EngineerNotFound),
    ):
        command = ReassignTicket(ticket_id=held.ticket_id, engineer_id=engineer, reason="x")
        with pytest.raises(refusal):
            await world.run(reassign_ticket, command)
    assert await world.history(held.ticket_id) == [held]


async def test_there_must_be_something_to_hand_over(make, world):
    engineer = await make.engineer()
    with pytest.raises(TicketNotFound):
        await world.run(
            reassign_ticket, ReassignTicket(ticket_id=TicketId("T-0"), engineer_id=engineer, reason="x")
        )
    command = ReassignTicket(ticket_id=await make.ticket(), engineer_id=engineer, reason="x")
    with pytest.raises(NoCurrentAssignment):
        await world.run(reassign_ticket, command)


async def test_an_ended_ticket_is_not_handed_on(make, world):
    held = await make.assigned()
    async with world.db.connection() as conn:
        await conn.execute("UPDATE service_tickets SET status = 'closed' WHERE id = $1", held.ticket_id)
    command = ReassignTicket(ticket_id=held.ticket_id, engineer_id=await make.engineer(), reason="x")
    with pytest.raises(TicketNotOpen):
        await world.run(reassign_ticket, command)


async def test_a_caller_who_saw_an_older_sequence_reassigns_nothing(make, world):
    held = await make.assigned()
    command = ReassignTicket(
        ticket_id=held.ticket_id, engineer_id=await make.engineer(), reason="x", expected_sequence=0
    )
    with pytest.raises(StaleSequence) as refused:
        await world.run(reassign_ticket, command)
    assert (refused.value.current_sequence, refused.value.current_assignment) == (1, held)


async def test_a_reason_is_required(make):
    with pytest.raises(InvalidInput, match="reason must not be empty"):
        ReassignTicket(ticket_id=await make.ticket(), engineer_id=await make.engineer(), reason="")


async def test_engineers_and_auditors_do_not_reassign(make, world):
    held = await make.assigned()
    command = ReassignTicket(ticket_id=held.ticket_id, engineer_id=await make.engineer(), reason="x")
    for actor in (AUDITOR, as_engineer(held.engineer_id)):
        with pytest.raises(Forbidden):
            await world.run(reassign_ticket, command, actor)
