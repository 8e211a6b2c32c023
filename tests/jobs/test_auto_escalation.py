"""What nobody accepts in time goes to the next tier by itself, once, however many servers look."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest
from structlog.testing import capture_logs

from app.commands.accept import AcceptAssignment, accept_assignment
from app.db.connections import TimeLimits
from app.db.pool import Database
from app.domain.model import AssignmentStatus, AssignmentType
from app.jobs.auto_escalation import RULE, escalate_overdue
from app.queries import overdue, tickets
from tests.commands.world import World
from tests.factories import Factories


@pytest.fixture
def make(fresh_db):
    return Factories(fresh_db)


@pytest.fixture
def world(fresh_db):
    return World(fresh_db)


@pytest.fixture
def later(fresh_db, fresh_url):
    """A database of the same rows whose time is later than ours."""

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
    """Makes engineers of a tier, each busy with so many assignments of tickets that are on hold."""

    async def people(tier, *busy, **columns):
        engineers = [await make.engineer(f"Of tier {tier}", **columns) for _ in busy]
        async with fresh_db.connection() as conn:
            for engineer, assignments in zip(engineers, busy, strict=True):
                await conn.execute("INSERT INTO engineer_tiers VALUES ($1, $2)", tier, engineer)
                for _ in range(assignments):
                    await conn.execute(
                        "INSERT INTO engineer_assignments (ticket_id, engineer_id, assignment_sequence,"
                        " assignment_tier, assignment_tier_name, origin)"
                        " VALUES ($1, $2, 1, 4, 'x', 'legacy')",
                        await make.ticket(status="on_hold"),
                        engineer,
                    )
        return engineers

    return people


async def test_it_goes_to_whom_of_the_next_tier_has_least_to_do(make, world, people, later):
    await people(2, 0, is_active=False)
    await people(3, 0)
    _, idle, _ = await people(2, 2, 1, 2)
    held = await make.assigned(tier=1)
    async with later(minutes=29) as db:
        assert await escalate_overdue(db) == 0
    async with later(minutes=31) as db:
        assert await escalate_overdue(db) == 1
    first, second = await world.history(held.ticket_id)
    assert (first.status, first.escalation_reason) == ("escalated", "Not accepted within 0:30:00")
    assert first.completed_at == second.assigned_at > held.assigned_at + timedelta(minutes=30)
    assert (second.engineer_id, second.assignment_tier, second.status) == (idle, 2, AssignmentStatus.ASSIGNED)
    assert (second.assignment_type, second.assigned_by) == (AssignmentType.AUTO, RULE.subject)
    assert second.assignment_reason == "Not accepted within 0:30:00"
    assert (await world.events(held.ticket_id))[1:] == [
        ("escalated", 1, RULE.subject),
        ("assigned", 2, RULE.subject),
    ]


async def test_it_goes_on_from_tier_to_tier_until_nobody_is_left_and_says_so_once(make, world, people, later):
    for tier in (2, 3):
        await people(tier, 0)
    held = await make.assigned(tier=1)
    outcomes = []
    for minutes in (31, 62, 93, 94):
        async with later(minutes=minutes) as db:
            await escalate_overdue(db)
            await escalate_overdue(db)
            outcomes.append(re.findall(rb'auto_escalations_total{outcome="(\w+)"} (\d)', db.metrics.text()))
    assert outcomes == [[(b"escalated", b"1")]] * 2 + [[(b"overdue", b"1")], []]
    assert [a.assignment_tier for a in await world.history(held.ticket_id)] == [1, 2, 3]
    assert [event[0] for event in await world.events(held.ticket_id)] == [
        "assigned",
        *["escalated", "assigned"] * 2,
        "overdue",
    ]
    [*_, current] = await world.history(held.ticket_id)
    assert (
        await world.run(accept_assignment, AcceptAssignment(assignment_id=current.id))
    ).status == "accepted"


async def test_of_the_last_tier_it_says_that_it_is_late(make, world, later):
    held = await make.assigned(tier=5)
    async with later(minutes=31) as db:
        assert await escalate_overdue(db) == 1
        assert b'baton_auto_escalations_total{outcome="overdue"} 1.0' in db.metrics.text()
    assert [held] == await world.history(held.ticket_id)
    async with world.db.connection() as conn:
        [told] = await conn.fetch(
            "SELECT details->>'reason', occurred_at - $1 FROM assignment_events WHERE type = 'overdue'",
            held.assigned_at,
        )
    assert told[0] == "Not accepted within 0:30:00"
    assert timedelta(minutes=30) < told[1] < timedelta(minutes=40)


@pytest.mark.parametrize(
    "why", ["accepted", "no limit", "an old row", "the ticket has ended", "the only one"]
)
async def test_what_is_not_overdue_stays(make, world, people, later, why):
    [only] = await people(2, 0)
    held = await make.assigned(tier=4 if why == "no limit" else 1)
    async with world.db.connection() as conn:
        match why:
            case "accepted":
                await world.run(accept_assignment, AcceptAssignment(assignment_id=held.id))
            case "an old row":
                await conn.execute("UPDATE engineer_assignments SET origin = 'legacy'")
            case "the ticket has ended":
                await conn.execute("UPDATE service_tickets SET status = 'cancelled'")
            case "the only one":
                await conn.execute("UPDATE engineer_assignments SET engineer_id = $1", only)
    before = await world.history(held.ticket_id)
    async with later(days=1) as db:
        await escalate_overdue(db)
    assert await world.history(held.ticket_id) == before
    told = [event[0] for event in await world.events(held.ticket_id)]
    assert ("overdue" in told) == (why == "the only one")


async def test_many_servers_at_once_escalate_each_ticket_once(make, world, people, later):
    await people(2, 0, 0, 0)
    late = [await make.assigned(tier=1) for _ in range(15)] + [await make.assigned(tier=5) for _ in range(15)]
    async with later(minutes=31) as one, later(minutes=31) as other:
        done = await asyncio.gather(*(escalate_overdue(db) for db in (one, other) for _ in range(3)))
    assert sum(done) >= len(late)
    for held in late:
        events = [event[0] for event in await world.events(held.ticket_id)]
        expected = ["overdue"] if held.assignment_tier == 5 else ["escalated", "assigned"]
        assert events == ["assigned", *expected]


async def test_a_ticket_that_somebody_is_at_work_on_is_left_to_them(make, world, people, later):
    await people(2, 0)
    busy, free = await make.assigned(tier=1), await make.assigned(tier=1)
    async with later(minutes=31) as db:
        async with world.db.transaction() as tx:
            await tickets.lock(tx, busy.ticket_id)
            assert await escalate_overdue(db) == 1
        assert len(await world.history(busy.ticket_id)) == 1
        assert len(await world.history(free.ticket_id)) == 2


async def test_a_ticket_that_cannot_be_escalated_stands_in_no_others_way(make, world, people, later):
    await people(2, 0)
    wrong, right = await make.assigned(tier=1), await make.assigned(tier=1)
    async with world.db.connection() as conn:
        await conn.execute(
            f"ALTER TABLE assignment_events ADD CHECK (ticket_id <> '{wrong.ticket_id}') NOT VALID"
        )
    async with later(minutes=31) as db:
        with capture_logs() as logs:
            assert await escalate_overdue(db) == 2
    assert [line["ticket_id"] for line in logs if line["event"] == "not_escalated"] == [wrong.ticket_id]
    assert [len(await world.history(held.ticket_id)) for held in (wrong, right)] == [1, 2]


async def test_what_was_dealt_with_before_its_lock_was_had_is_seen(make, world, people, later):
    """A ticket is found before it is locked; only what is read after that is true."""
    held, late = await make.assigned(tier=1), await make.assigned(tier=5)
    async with later(minutes=31) as db:
        async with db.transaction() as tx:
            assert await overdue.assignment(tx, held.ticket_id) is not None
            assert await overdue.assignment(tx, late.ticket_id) is not None
        await world.run(accept_assignment, AcceptAssignment(assignment_id=held.id))
        await escalate_overdue(db)
        async with db.transaction() as tx:
            assert await overdue.assignment(tx, held.ticket_id) is None
            assert await overdue.assignment(tx, late.ticket_id) is None
