"""Accept: the engineer takes the assignment."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.domain.errors import AssignmentNotFound, Forbidden, InvalidInput, TransitionNotAllowed
from app.domain.model import AssignmentStatus, TicketStatus
from tests.commands.world import NOTHING, outcome
from tests.factories import AUDITOR, as_engineer


async def test_accepting_stamps_it_and_leaves_the_ticket_as_it_is(make, world):
    held = await make.assigned()
    accepted = await world.run(
        accept_assignment, AcceptAssignment(assignment_id=held.id), as_engineer(held.engineer_id)
    )
    assert [accepted] == await world.history(held.ticket_id)
    assert accepted.status is AssignmentStatus.ACCEPTED
    assert accepted.accepted_at == accepted.updated_at > held.assigned_at
    assert (await world.ticket(held.ticket_id)).status is TicketStatus.ASSIGNED
    assert (await world.events(held.ticket_id))[-1] == ("accepted", 1, f"engineer:{held.engineer_id}")


async def test_of_ten_phones_that_accept_at_once_one_wins_and_nine_are_told_how_it_is(make, world):
    held = await make.assigned()
    command = AcceptAssignment(assignment_id=held.id)
    got = await asyncio.gather(*(outcome(world.run(accept_assignment, command)) for _ in range(10)))
    assert Counter(type(g).__name__ for g in got) == {"Assignment": 1, "TransitionNotAllowed": 9}
    [accepted] = await world.history(held.ticket_id)
    refused = [g for g in got if isinstance(g, TransitionNotAllowed)]
    assert all(g.assignment == g.current_assignment == accepted for g in refused)


async def test_what_was_escalated_a_moment_ago_is_not_accepted(make, world):
    held = await make.assigned()
    command = EscalateTicket(ticket_id=held.ticket_id, next_engineer_id=await make.engineer(), reason="x")
    opened = await world.run(escalate_ticket, command)
    with pytest.raises(TransitionNotAllowed, match="Cannot accept") as refused:
        await world.run(
            accept_assignment, AcceptAssignment(assignment_id=held.id), as_engineer(held.engineer_id)
        )
    assert refused.value.assignment.status is AssignmentStatus.ESCALATED
    assert refused.value.current_assignment == opened


async def test_someone_elses_assignment_and_a_missing_one_answer_alike(make, world):
    held, other = await make.assigned(), as_engineer(await make.engineer())
    for assignment in (held.id, NOTHING):
        with pytest.raises(AssignmentNotFound) as refused:
            await world.run(accept_assignment, AcceptAssignment(assignment_id=assignment), other)
        assert str(refused.value) == f"There is no assignment {assignment}."


async def test_auditors_accept_nothing(make, world):
    held = await make.assigned()
    with pytest.raises(Forbidden):
        await world.run(accept_assignment, AcceptAssignment(assignment_id=held.id), AUDITOR)


def test_an_id_has_one_form():
    with pytest.raises(InvalidInput, match="assignmentId must be a UUID"):
        AcceptAssignment(assignment_id="{00000000-0000-0000-0000-000000000000}")
