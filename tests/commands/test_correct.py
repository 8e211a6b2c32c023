"""Correct: hours of work that has ended are set right, and nothing is forgotten."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import asyncpg
import pytest

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.complete import CompleteAssignment, complete_assignment
from app.commands.correct import CorrectTimeSpent, correct_time_spent
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.reject import RejectAssignment, reject_assignment
from app.domain.errors import AssignmentNotFound, Forbidden, InvalidInput, TransitionNotAllowed
from app.domain.model import AssignmentStatus, CompletionStatus
from tests.commands.world import NOTHING
from tests.factories import ADMIN, AUDITOR, as_engineer

CORRECTIONS = """
SELECT details->>'time_spent_hours_before', assignment->>'time_spent_hours', details->>'reason', actor
FROM assignment_events WHERE type = 'hours_corrected' ORDER BY id
"""


@pytest.fixture
async def done(make, world):
    """An assignment that was completed with four hours."""
    held = await make.assigned()
    await world.run(accept_assignment, AcceptAssignment(assignment_id=held.id))
    command = CompleteAssignment(
        assignment_id=held.id, completion_status=CompletionStatus.SUCCESS, time_spent_hours=Decimal(4)
    )
    return await world.run(complete_assignment, command)


def hours(assignment, right, reason="typed wrong"):
    return CorrectTimeSpent(assignment_id=assignment.id, time_spent_hours=Decimal(right), reason=reason)


async def test_hours_are_set_right_and_what_they_were_is_kept(world, done):
    before = await world.ticket(done.ticket_id)
    await world.run(correct_time_spent, hours(done, "6.5"))
    corrected = await world.run(correct_time_spent, hours(done, "5.25", "asked the engineer"), ADMIN)
    assert [corrected] == await world.history(done.ticket_id)
    assert corrected.updated_at > done.updated_at
    assert corrected == replace(done, time_spent_hours=Decimal("5.25"), updated_at=corrected.updated_at)
    assert await world.ticket(done.ticket_id) == before
    async with world.db.connection() as conn:
        assert [tuple(row) for row in await conn.fetch(CORRECTIONS)] == [
            ("4.00", "6.50", "typed wrong", "dispatcher@test"),
            ("6.50", "5.25", "asked the engineer", "admin@test"),
        ]


async def test_hours_back_and_forth_are_each_a_correction(world, done):
    for right in ("6", "4", "6", "4"):
        await world.run(correct_time_spent, hours(done, right))
    assert [event[0] for event in await world.events(done.ticket_id)][-4:] == ["hours_corrected"] * 4


async def test_who_was_called_off_may_have_worked(make, world):
    escalated, rejected = await make.assigned(), await make.assigned()
    command = EscalateTicket(
        ticket_id=escalated.ticket_id, next_engineer_id=await make.engineer(), reason="x"
    )
    await world.run(escalate_ticket, command)
    await world.run(reject_assignment, RejectAssignment(assignment_id=rejected.id, reason="x"))
    for ended in (escalated, rejected):
        corrected = await world.run(correct_time_spent, hours(ended, "0.25"))
        assert (corrected.time_spent_hours, corrected.completed_at is None) == (
            Decimal("0.25"),
            corrected.status is AssignmentStatus.REJECTED,
        )


async def test_work_that_goes_on_has_no_hours_to_correct(make, world):
    held = await make.assigned()
    with pytest.raises(TransitionNotAllowed, match="Cannot correct an assignment that is assigned"):
        await world.run(correct_time_spent, hours(held, "1"))
    with pytest.raises(AssignmentNotFound):
        await world.run(correct_time_spent, replace(hours(held, "1"), assignment_id=NOTHING))


async def test_a_correction_changes_something_and_says_why(world, done):
    with pytest.raises(InvalidInput, match="timeSpentHours must differ"):
        await world.run(correct_time_spent, hours(done, "4.00"))
    with pytest.raises(InvalidInput, match="reason must not be empty"):
        hours(done, "5", " ")
    with pytest.raises(InvalidInput, match="timeSpentHours must be 0 to"):
        hours(done, "1000")
    assert [done] == await world.history(done.ticket_id)


async def test_engineers_do_not_correct_their_own_hours(world, done):
    for actor in (AUDITOR, as_engineer(done.engineer_id)):
        with pytest.raises(Forbidden):
            await world.run(correct_time_spent, hours(done, "5"), actor)


EVENT = """
INSERT INTO assignment_events (ticket_id, assignment_id, type, actor, occurred_at, assignment, details)
SELECT ticket_id, id, $2, 'x', now(), to_jsonb(a) || '{"time_spent_hours": 9}', $3
FROM engineer_assignments a WHERE id = $1
"""


async def by_hand(db, ended, told, details, change):
    async with db.transaction() as tx:
        if told is not None:
            await tx.execute(EVENT, ended.id, told, details)
        await tx.execute(f"UPDATE engineer_assignments SET {change} WHERE id = $1", ended.id)


@pytest.mark.parametrize(
    ("told", "details"),
    [
        (None, None),
        ("rated", '{"time_spent_hours_before": "4.00"}'),
        ("hours_corrected", '{"time_spent_hours_before": "3"}'),
        ("hours_corrected", None),
    ],
    ids=["no event", "another event", "other hours before", "no hours before"],
)
async def test_the_database_takes_no_correction_that_no_event_tells(world, done, told, details):
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="does not change"):
        await by_hand(world.db, done, told, details, "time_spent_hours = 9")


@pytest.mark.parametrize("also", ["notes = 'x', time_spent_hours = 9", "time_spent_hours = 8"])
async def test_the_database_takes_nothing_beside_a_correction(world, done, also):
    told = "hours_corrected", '{"time_spent_hours_before": 4}'
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="does not change"):
        await by_hand(world.db, done, *told, also)
    await by_hand(world.db, done, *told, "time_spent_hours = 9")
