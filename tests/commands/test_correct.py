"""Correct the hours of an assignment that has ended; the history keeps the old ones."""

from dataclasses import replace
from decimal import Decimal

import asyncpg
import pytest

from app.domain.errors import InvalidInput
from app.domain.model import AssignmentStatus
from tests.factories import ADMIN, DISPATCHER

CORRECTIONS = """
SELECT details->>'time_spent_hours_before', assignment->>'time_spent_hours', details->>'reason', actor
FROM ticket_events WHERE type = 'hours_corrected' ORDER BY id
"""


@pytest.fixture
async def completed(make, world):
    return await world.complete(await make.assigned(), "4")


@pytest.fixture
def correct(world):
    async def correct(assignment, hours, reason="typed wrong", actor=DISPATCHER):
        values = {"time_spent_hours": Decimal(hours), "reason": reason}
        return await world.act("correct", assignment, actor, **values)

    return correct


async def test_correction_changes_hours_and_records_the_old_ones(world, completed, correct):
    before = await world.ticket(completed.ticket_id)
    await correct(completed, "6.5")
    corrected = await correct(completed, "5.25", "asked the engineer", ADMIN)
    assert [corrected] == await world.history(completed.ticket_id)
    assert corrected.updated_at > completed.updated_at
    assert corrected == replace(completed, time_spent_hours=Decimal("5.25"), updated_at=corrected.updated_at)
    assert await world.ticket(completed.ticket_id) == before
    async with world.db.connection() as conn:
        assert [tuple(row) for row in await conn.fetch(CORRECTIONS)] == [
            ("4.00", "6.50", "typed wrong", "dispatcher@test"),
            ("6.50", "5.25", "asked the engineer", "admin@test"),
        ]


async def test_each_change_of_hours_is_an_event(world, completed, correct):
    for hours in ("6", "4", "6", "4"):
        await correct(completed, hours)
    assert [event[0] for event in await world.events(completed.ticket_id)][-4:] == ["hours_corrected"] * 4


async def test_escalated_and_rejected_assignments_can_have_hours(make, world, correct):
    escalated, rejected = await make.assigned(), await make.assigned()
    await world.escalate(escalated)
    await world.act("reject", rejected)
    for ended in (escalated, rejected):
        corrected = await correct(ended, "0.25")
        assert corrected.time_spent_hours == Decimal("0.25")
        assert (corrected.completed_at is None) == (corrected.status is AssignmentStatus.REJECTED)


async def test_correction_must_change_the_hours(world, completed, correct):
    for hours, message in (("4.00", "timeSpentHours must differ"), ("1000", "timeSpentHours must be 0 to")):
        with pytest.raises(InvalidInput, match=message):
            await correct(completed, hours)
    assert [completed] == await world.history(completed.ticket_id)


EVENT = """
INSERT INTO ticket_events (ticket_id, assignment_id, type, actor, recorded_at, assignment, details)
SELECT ticket_id, id, $2, 'x', now(), to_jsonb(a) || '{"time_spent_hours": 9}', $3
FROM engineer_assignments a WHERE id = $1
"""


async def update_with_event(db, ended, event, details, assignments):
    async with db.transaction() as tx:
        if event is not None:
            await tx.execute(EVENT, ended.id, event, details)
        await tx.execute(f"UPDATE engineer_assignments SET {assignments} WHERE id = $1", ended.id)


@pytest.mark.parametrize(
    ("event", "details"),
    [
        (None, None),
        ("rated", '{"time_spent_hours_before": "4.00"}'),
        ("hours_corrected", '{"time_spent_hours_before": "3"}'),
        ("hours_corrected", None),
    ],
    ids=["no event", "another event", "other hours before", "no hours before"],
)
async def test_database_refuses_a_correction_without_its_event(world, completed, event, details):
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="does not change"):
        await update_with_event(world.db, completed, event, details, "time_spent_hours = 9")


@pytest.mark.parametrize("assignments", ["notes = 'x', time_spent_hours = 9", "time_spent_hours = 8"])
async def test_database_refuses_other_changes_with_a_correction(world, completed, assignments):
    event = "hours_corrected", '{"time_spent_hours_before": 4}'
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="does not change"):
        await update_with_event(world.db, completed, *event, assignments)
    await update_with_event(world.db, completed, *event, "time_spent_hours = 9")
