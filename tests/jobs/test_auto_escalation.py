"""Assignments not accepted in time are escalated once, even if many servers run the job."""

import asyncio
import re
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest
from structlog.testing import capture_logs

from app.db.connections import TimeLimits
from app.db.pool import Database
from app.domain.model import AssignmentStatus, AssignmentType
from app.jobs.auto_escalation import RULE, escalate_overdue
from app.queries import overdue, tickets
from tests.commands.world import World
from tests.factories import DISPATCHER


@pytest.fixture
def db(fresh_db):
    return fresh_db


@pytest.fixture
def later(fresh_db, fresh_url):
    """The same database, with a later app_now()."""

    @asynccontextmanager
    async def later(**by):
        async with fresh_db.connection() as conn:
            now = await conn.fetchval("SELECT now()") + timedelta(**by)
        settings = TimeLimits().session_settings | {"app.now": now.isoformat()}
        async with asyncpg.create_pool(fresh_url, min_size=1, max_size=4, server_settings=settings) as pool:
            yield Database(pool)

    return later


@pytest.fixture(autouse=True)
async def limits(fresh_db):
    async with fresh_db.connection() as conn:
        await conn.execute("UPDATE assignment_tiers SET accept_within = '30 minutes' WHERE tier <> 4")


@pytest.fixture
async def people(fresh_db, make):
    """Create engineers of a tier with the given numbers of assignments, on tickets that are on hold."""

    async def people(tier, *counts, **columns):
        engineers = [await make.engineer(f"Of tier {tier}", **columns) for _ in counts]
        async with fresh_db.connection() as conn:
            for engineer, assignments in zip(engineers, counts, strict=True):
                await conn.execute("INSERT INTO engineer_tiers VALUES ($1, $2)", tier, engineer)
                for _ in range(assignments):
                    ticket_id = await make.ticket(status="on_hold")
                    await make.legacy_assignment(ticket_id=ticket_id, engineer_id=engineer, assignment_tier=4)
        return engineers

    return people


async def test_next_engineer_has_the_fewest_active_assignments(make, world, people, later):
    await people(2, 0, is_active=False)
    await people(3, 0)
    _, idle, _ = await people(2, 2, 1, 2)
    assigned = await make.assigned(tier=1)
    async with later(minutes=29) as db:
        assert await escalate_overdue(db) == 0
    async with later(minutes=31) as db:
        assert await escalate_overdue(db) == 1
    first, second = await world.history(assigned.ticket_id)
    assert (first.status, first.escalation_reason) == ("escalated", "Not accepted within 0:30:00")
    assert first.completed_at == second.assigned_at > assigned.assigned_at + timedelta(minutes=30)
    assert (second.engineer_id, second.assignment_tier, second.status) == (idle, 2, AssignmentStatus.ASSIGNED)
    assert (second.assignment_type, second.assigned_by) == (AssignmentType.AUTO, RULE.subject)
    assert second.assignment_reason == "Not accepted within 0:30:00"
    assert (await world.events(assigned.ticket_id))[1:] == [
        ("escalated", 1, RULE.subject),
        ("assigned", 2, RULE.subject),
    ]


async def test_a_hold_pauses_the_limit_which_then_starts_again(make, world, people, later):
    await people(2, 0)
    assigned = await make.assigned(tier=1)
    await world.act("hold_ticket", assigned)
    async with later(minutes=60) as db:
        assert await escalate_overdue(db) == 0
        await World(db).act("resume_ticket", assigned)
    async with later(minutes=89) as db:
        assert await escalate_overdue(db) == 0
    async with later(minutes=91) as db:
        assert await escalate_overdue(db) == 1


async def test_escalation_continues_until_no_engineer_is_left(make, world, people, later):
    for tier in (2, 3):
        await people(tier, 0)
    assigned = await make.assigned(tier=1)
    outcomes = []
    for minutes in (31, 62, 93, 94):
        async with later(minutes=minutes) as db:
            await escalate_overdue(db)
            await escalate_overdue(db)
            outcomes.append(re.findall(rb'auto_escalations_total{outcome="(\w+)"} (\d)', db.metrics.text()))
    assert outcomes == [[(b"escalated", b"1")]] * 2 + [[(b"overdue", b"1")], []]
    assert [a.assignment_tier for a in await world.history(assigned.ticket_id)] == [1, 2, 3]
    assert [event[0] for event in await world.events(assigned.ticket_id)] == [
        "assigned",
        *["escalated", "assigned"] * 2,
        "overdue",
    ]
    [*_, current] = await world.history(assigned.ticket_id)
    assert (await world.act("accept", current)).status == "accepted"


@pytest.mark.parametrize("tier", [1, 2, 3, 5])
async def test_tiers_without_an_available_engineer_are_skipped(make, world, people, later, tier):
    """Engineers of the own tier and inactive engineers are not available."""
    await people(tier, 0)
    if tier < 5:
        await people(tier + 1, 0, is_active=False)
    _, idle = await people(4, 1, 0)
    await people(5, 0)
    assigned = await make.assigned(tier=tier)
    async with later(minutes=31) as db:
        assert await escalate_overdue(db) == 1
    [_, *escalated] = await world.history(assigned.ticket_id)
    expected = [] if tier == 5 else [(4, idle, AssignmentType.AUTO)]
    assert [(a.assignment_tier, a.engineer_id, a.assignment_type) for a in escalated] == expected


@pytest.mark.parametrize("how", ["joined", "activated"])
async def test_overdue_ticket_is_escalated_when_an_engineer_becomes_available(
    make, world, people, later, how
):
    """Until then, the event `overdue` is recorded once."""
    inactive = await people(3, 0, is_active=False)
    assigned = await make.assigned(tier=1)
    events = [("assigned", 1, DISPATCHER.subject), ("overdue", 1, RULE.subject)]
    async with later(minutes=31) as db:
        assert [await escalate_overdue(db) for _ in range(3)] == [1, 0, 0]
        assert await world.events(assigned.ticket_id) == events
        if how == "joined":
            available = await people(2, 0)
        else:
            available = inactive
            async with world.db.connection() as conn:
                await conn.execute("UPDATE engineers SET is_active = true")
        assert [await escalate_overdue(db) for _ in range(3)] == [1, 0, 0]
    assert (await world.events(assigned.ticket_id))[2:] == [
        ("escalated", 1, RULE.subject),
        ("assigned", 2, RULE.subject),
    ]
    [_, escalated] = await world.history(assigned.ticket_id)
    assert [escalated.engineer_id] == available
    assert escalated.assignment_tier == (2 if how == "joined" else 3)


async def test_highest_tier_gets_an_overdue_event(make, world, later):
    assigned = await make.assigned(tier=5)
    async with later(minutes=31) as db:
        assert await escalate_overdue(db) == 1
        assert b'baton_auto_escalations_total{outcome="overdue"} 1.0' in db.metrics.text()
    assert [assigned] == await world.history(assigned.ticket_id)
    async with world.db.connection() as conn:
        [(reason, delay)] = await conn.fetch(
            "SELECT details->>'reason', recorded_at - $1 FROM ticket_events WHERE type = 'overdue'",
            assigned.assigned_at,
        )
    assert reason == "Not accepted within 0:30:00"
    assert timedelta(minutes=30) < delay < timedelta(minutes=40)


@pytest.mark.parametrize(
    "why", ["accepted", "no limit", "an old row", "the ticket has ended", "the only one"]
)
async def test_assignment_that_is_not_overdue_is_kept(make, world, people, later, why):
    [only] = await people(2, 0)
    assigned = await make.assigned(tier=4 if why == "no limit" else 1)
    async with world.db.connection() as conn:
        match why:
            case "accepted":
                await world.act("accept", assigned)
            case "an old row":
                await conn.execute("UPDATE engineer_assignments SET origin = 'legacy'")
            case "the ticket has ended":
                await conn.execute("UPDATE service_tickets SET status = 'cancelled'")
            case "the only one":
                await conn.execute("UPDATE engineer_assignments SET engineer_id = $1", only)
    before = await world.history(assigned.ticket_id)
    async with later(days=1) as db:
        await escalate_overdue(db)
    assert await world.history(assigned.ticket_id) == before
    events = [event[0] for event in await world.events(assigned.ticket_id)]
    assert ("overdue" in events) == (why == "the only one")


async def test_concurrent_servers_escalate_each_ticket_once(make, world, people, later):
    await people(2, 0, 0, 0)
    late = [await make.assigned(tier=1) for _ in range(15)] + [await make.assigned(tier=5) for _ in range(15)]
    async with later(minutes=31) as one, later(minutes=31) as other:
        done = await asyncio.gather(*(escalate_overdue(db) for db in (one, other) for _ in range(3)))
    assert sum(done) >= len(late)
    for assigned in late:
        events = [event[0] for event in await world.events(assigned.ticket_id)]
        expected = ["overdue"] if assigned.assignment_tier == 5 else ["escalated", "assigned"]
        assert events == ["assigned", *expected]


async def test_locked_ticket_is_skipped(make, world, people, later):
    await people(2, 0)
    busy, free = await make.assigned(tier=1), await make.assigned(tier=1)
    async with later(minutes=31) as db:
        async with world.db.transaction() as tx:
            await tickets.lock(tx, busy.ticket_id)
            assert await escalate_overdue(db) == 1
        assert len(await world.history(busy.ticket_id)) == 1
        assert len(await world.history(free.ticket_id)) == 2


async def test_failed_escalation_does_not_stop_the_others(make, world, people, later):
    await people(2, 0)
    wrong, right = await make.assigned(tier=1), await make.assigned(tier=1)
    async with world.db.connection() as conn:
        await conn.execute(
            f"ALTER TABLE ticket_events ADD CHECK (ticket_id <> '{wrong.ticket_id}') NOT VALID"
        )
    async with later(minutes=31) as db:
        with capture_logs() as logs:
            assert await escalate_overdue(db) == 2
    assert [line["ticket_id"] for line in logs if line["event"] == "not_escalated"] == [wrong.ticket_id]
    assert [len(await world.history(assigned.ticket_id)) for assigned in (wrong, right)] == [1, 2]


async def test_overdue_is_checked_again_under_the_lock(make, world, people, later):
    """A ticket is found before it is locked, so it may have changed."""
    assigned, late = await make.assigned(tier=1), await make.assigned(tier=5)
    async with later(minutes=31) as db:
        async with db.transaction() as tx:
            assert await overdue.assignment(tx, assigned.ticket_id) is not None
            assert await overdue.assignment(tx, late.ticket_id) is not None
        await world.act("accept", assigned)
        await escalate_overdue(db)
        async with db.transaction() as tx:
            assert await overdue.assignment(tx, assigned.ticket_id) is None
            assert await overdue.assignment(tx, late.ticket_id) is None
