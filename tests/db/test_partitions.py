"""Partitions come and go while changes go on; nothing is refused for the lack of one, or done twice."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import asyncpg
import pytest

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.assign import AssignTicket, assign_ticket
from app.commands.run import run, run_in_transaction
from app.config import Settings
from app.db.connections import connect
from app.db.errors import Unavailable
from app.db.pool import open_database
from app.doctor import examine
from app.domain.cursor import Cursor
from app.domain.errors import IdempotencyKeyReused
from app.events import CursorTooOld, EventFilter, Feed, _refuse_unknown
from app.jobs.retention import outdated, retain
from app.jobs.runner import tend_partitions
from app.queries import partitions
from tests.factories import DISPATCHER, Factories

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
THIS_MONTH = TODAY.replace(day=1)


def day(days: int) -> str:
    return f"{TODAY + timedelta(days):%Y-%m-%d}"


def day_of_keys(days: int) -> str:
    return f"idempotency_keys_p{TODAY + timedelta(days):%Y%m%d}"


def month(months: int) -> str:
    """The first day of a month, counted from this one."""
    count = THIS_MONTH.year * 12 + THIS_MONTH.month - 1 + months
    return f"{count // 12}-{count % 12 + 1:02}-01"


async def end_first_partition(url, table, end):
    """As if the tables had been partitioned so long ago; what does not fit lies in the default partition."""
    async with connect(url) as conn, conn.transaction():
        await conn.execute(
            f"""LOCK TABLE service_tickets, engineer_assignments, assignment_events, idempotency_keys;
            ALTER TABLE {table} DETACH PARTITION {table}_before;
            ALTER TABLE {table}_before RENAME TO {table}_aside;
            CREATE TABLE {table}_before (LIKE {table}_aside INCLUDING ALL);
            ALTER TABLE {table} ATTACH PARTITION {table}_before FOR VALUES FROM (MINVALUE) TO ('{end}');
            SET LOCAL session_replication_role = replica;
            INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM {table}_aside;
            DROP TABLE {table}_aside"""
        )


@pytest.fixture
async def keys_ended(fresh_url):
    """The days of keys are over, but for the default partition."""
    await end_first_partition(fresh_url, "idempotency_keys", day(-1))


async def where_keys_are(db):
    """Each by its first day: one of a day's last hour is entered under the next day as well."""
    by_day = "SELECT key, tableoid::regclass::text FROM idempotency_keys ORDER BY day DESC"
    async with db.connection() as conn:
        return dict(await conn.fetch(by_day))


async def names_of(db, table):
    async with db.connection() as conn:
        found = await conn.fetch(
            "SELECT name FROM time_partitions WHERE parent = $1 ORDER BY ends_at NULLS LAST", table
        )
    return [row[0] for row in found]


async def wish_for(make) -> AssignTicket:
    return AssignTicket(ticket_id=await make.ticket(), engineer_id=await make.engineer())


@pytest.fixture
def make(fresh_db):
    return Factories(fresh_db)


async def test_they_are_made_ahead_and_days_of_keys_go(fresh_db, keys_ended, fresh_url):
    await end_first_partition(fresh_url, "assignment_events", month(-1))
    await tend_partitions(fresh_db)
    assert await names_of(fresh_db, "idempotency_keys") == [
        *(day_of_keys(days) for days in range(4)),
        "idempotency_keys_default",
    ]
    assert await names_of(fresh_db, "assignment_events") == [
        "assignment_events_before",
        *(f"assignment_events_p{month(n).replace('-', '')[:6]}" for n in range(3)),
        "assignment_events_default",
    ]
    assert await tend_partitions(fresh_db) == []


async def test_what_found_no_partition_is_stored_and_moves_to_its_own(fresh_db, keys_ended, fresh_url, make):
    await end_first_partition(fresh_url, "assignment_events", month(-1))
    command = await wish_for(make)
    answer = await run(fresh_db, DISPATCHER, assign_ticket, command, idempotency_key="k")
    assert await where_keys_are(fresh_db) == {"k": "idempotency_keys_default"}
    assert await run(fresh_db, DISPATCHER, assign_ticket, command, idempotency_key="k") == answer
    await tend_partitions(fresh_db)
    assert await where_keys_are(fresh_db) == {"k": day_of_keys(0)}
    assert await run(fresh_db, DISPATCHER, assign_ticket, command, idempotency_key="k") == answer
    async with fresh_db.connection() as conn:
        [place] = await conn.fetchrow("SELECT tableoid::regclass::text FROM assignment_events")
    assert place == f"assignment_events_p{month(0).replace('-', '')[:6]}"


async def test_servers_tend_together_and_each_step_is_done_once(fresh_db, keys_ended):
    done = await asyncio.gather(*(tend_partitions(fresh_db) for _ in range(6)))
    steps = [step for of_one in done for step in of_one]
    # Who finds another at it leaves it to that one, which then does all.
    assert len(steps) == len(set(steps))
    assert {"dropped idempotency_keys_before", *(f"made {day_of_keys(days)}" for days in range(4))} <= set(
        steps
    )


async def test_changes_go_on_while_partitions_come_and_go(fresh_db, fresh_url, make):
    running_jobs = True
    wishes = []

    async def change(number):
        while running_jobs:
            wishes.append(await wish_for(make))
            await run(
                fresh_db, DISPATCHER, assign_ticket, wishes[-1], idempotency_key=f"{number}.{len(wishes)}"
            )

    workers = [asyncio.create_task(change(number)) for number in range(4)]
    try:
        await end_first_partition(fresh_url, "idempotency_keys", day(-1))
        await end_first_partition(fresh_url, "assignment_events", month(-1))
        tended = False
        while not tended:
            try:
                tended = await tend_partitions(fresh_db) == []
            except Unavailable:  # it gives way to the changes, and is tried again
                await asyncio.sleep(0)
    finally:
        running_jobs = False
        await asyncio.gather(*workers)
    async with fresh_db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM assignment_events") == len(wishes)
        assert await conn.fetchval("SELECT count(DISTINCT key) FROM idempotency_keys") == len(wishes)


async def test_it_gives_way_and_comes_again(fresh_db, keys_ended, make):
    await tend_once_but_the_drop(fresh_db)
    async with fresh_db.transaction() as tx:
        await run_in_transaction(tx, DISPATCHER, assign_ticket, await wish_for(make), idempotency_key="k")
        with pytest.raises(Unavailable):
            await tend_partitions(fresh_db)
    assert "dropped idempotency_keys_before" in await tend_partitions(fresh_db)


async def tend_once_but_the_drop(db):
    async with db.connection() as conn:
        for _ in range(4):
            await conn.execute("SELECT tend_partitions()")


async def test_what_a_session_says_of_the_time_drops_nothing(fresh_db, fresh_url):
    before = await names_of(fresh_db, "idempotency_keys")
    async with at(fresh_url, "2040-01-01Z") as later:
        await tend_partitions(later)
    assert "idempotency_keys_before" in before
    assert set(before) <= set(await names_of(fresh_db, "idempotency_keys"))


async def test_who_would_delete_keys_one_by_one_deletes_none(fresh_db, make):
    """The job of the release before, on a server that is not rolled yet."""
    await run(fresh_db, DISPATCHER, assign_ticket, await wish_for(make), idempotency_key="k")
    async with fresh_db.connection() as conn:
        assert await conn.execute("DELETE FROM idempotency_keys") == "DELETE 0"
    assert await where_keys_are(fresh_db)


@asynccontextmanager
async def at(url, time):
    """A database where it is this time."""
    async with open_database(f"{url}{'&' if '?' in url else '?'}app.now={quote(time)}", pool_size=3) as db:
        yield db


# The keys' days end at midnight in their own partitions, in one that is not there yet, and in the first one.
@pytest.mark.parametrize("evening", [9, 6, 2], ids=["of their own", "none for tomorrow", "the first"])
@pytest.mark.parametrize("first", ["the evening", "the morning"])
async def test_at_midnight_no_twin_passes(fresh_db, fresh_url, make, evening, first):
    if evening == 9:
        async with connect(fresh_url) as conn:
            for of in (9, 10):
                await conn.execute(
                    "SELECT make_time_partition('idempotency_keys', $1, 'day', $2, $3)",
                    day_of_keys(of),
                    day(of),
                    day(of + 1),
                )
    wishes = [await wish_for(make), await wish_for(make)]
    async with (
        at(fresh_url, f"{day(evening)} 23:59:59.9Z") as before_midnight,
        at(fresh_url, f"{day(evening + 1)} 00:00:00.1Z") as after_midnight,
    ):
        one, other = (
            (before_midnight, after_midnight) if first == "the evening" else (after_midnight, before_midnight)
        )
        async with one.transaction() as tx:
            await run_in_transaction(tx, DISPATCHER, assign_ticket, wishes[0], idempotency_key="k")
            twin = asyncio.create_task(run(other, DISPATCHER, assign_ticket, wishes[1], idempotency_key="k"))
            await until_somebody_waits(fresh_db, twin)
        with pytest.raises(IdempotencyKeyReused):
            await twin
    async with fresh_db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM engineer_assignments") == 1


async def until_somebody_waits(db, task):
    """Or is done, where nothing keeps it."""
    async with db.connection() as conn:
        while not task.done():
            if await conn.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                return
            await asyncio.sleep(0.01)


async def test_a_key_is_known_the_next_day_and_new_when_its_days_are_gone(fresh_db, fresh_url, make):
    command = await wish_for(make)
    async with at(fresh_url, f"{day(-1)} 00:00:01Z") as yesterday:
        answer = await run(yesterday, DISPATCHER, assign_ticket, command, idempotency_key="k")
    await end_first_partition(fresh_url, "idempotency_keys", day(0))
    await tend_partitions(fresh_db)
    assert await run(fresh_db, DISPATCHER, assign_ticket, command, idempotency_key="k") == answer
    await drop_day(fresh_url, "idempotency_keys_before")
    elsewhere = await wish_for(make)
    assert (await run(fresh_db, DISPATCHER, assign_ticket, elsewhere, idempotency_key="k")).id != answer.id


async def drop_day(url, name):
    async with connect(url) as conn:
        await conn.execute(f"DROP TABLE {name}")


@pytest.fixture
async def old_events(fresh_db, fresh_url, make):
    """Two events of a month that is over, one of this month; the ids of the first two."""
    async with at(fresh_url, f"{month(-3)} 00:00:01Z") as then:
        for _ in range(2):
            await run(then, DISPATCHER, assign_ticket, await wish_for(make))
    await run(fresh_db, DISPATCHER, assign_ticket, await wish_for(make))
    await end_first_partition(fresh_url, "assignment_events", month(-2))
    await tend_partitions(fresh_db)
    async with fresh_db.connection() as conn:
        return [row[0] for row in await conn.fetch("SELECT id FROM assignment_events ORDER BY id LIMIT 2")]


async def test_old_months_of_events_are_dropped_and_nothing_else(fresh_db, old_events):
    said = []
    async with fresh_db.connection() as conn:
        assert await outdated(conn, 0) == await outdated(conn, 4) == []
        assert await outdated(conn, 1) == ["assignment_events_before"]
    await retain(fresh_db, 1, dry_run=True, emit=said.append)
    assert "assignment_events_before" in await names_of(fresh_db, "assignment_events")
    await retain(fresh_db, 1, emit=said.append)
    await retain(fresh_db, 1, emit=said.append)
    assert said == [
        "assignment_events_before would be dropped",
        f"assignment_events_before is dropped, with all events up to {old_events[1]}",
        "No event partition is older than the retention.",
    ]
    async with fresh_db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM assignment_events") == 1
        assert await conn.fetchval("SELECT count(*) FROM engineer_assignments") == 3


async def test_a_month_that_is_not_over_is_not_dropped(fresh_db, old_events):
    for name in (await names_of(fresh_db, "assignment_events"))[1:]:
        async with fresh_db.connection() as conn:
            with pytest.raises(asyncpg.RaiseError, match="is no month of events that is over"):
                await partitions.drop_events(conn, name)


async def test_a_cursor_from_before_what_was_dropped_is_refused_and_a_later_one_goes_on(
    fresh_db, fresh_url, old_events, make
):
    await retain(fresh_db, 1)
    feed = Feed(fresh_url)
    reading = asyncio.create_task(feed.run())
    try:
        async with aclosing(feed.follow(fresh_db, EventFilter(), Cursor.after(old_events[0]))) as told:
            with pytest.raises(CursorTooOld):
                await anext(told)
        async with aclosing(feed.follow(fresh_db, EventFilter(), Cursor.after(old_events[1]))) as told:
            assert (await anext(told)).event.id == old_events[1] + 1
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_a_cursor_is_known_though_all_events_up_to_it_are_gone(fresh_db, fresh_url, make):
    async with at(fresh_url, f"{month(-3)} 00:00:01Z") as then:
        held = await run(then, DISPATCHER, assign_ticket, await wish_for(make))
    await end_first_partition(fresh_url, "assignment_events", month(-2))
    await retain(fresh_db, 1)
    await _refuse_unknown(fresh_db, Cursor.after(1))
    feed = Feed(fresh_url)
    reading = asyncio.create_task(feed.run())
    try:
        async with aclosing(feed.follow(fresh_db, EventFilter(), Cursor.after(1))) as told:
            await run(fresh_db, DISPATCHER, accept_assignment, AcceptAssignment(assignment_id=held.id))
            assert (await anext(told)).event.type == "accepted"
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_the_doctor_says_what_is_due(fresh_db, fresh_url, old_events, keys_ended):
    async def said(kept_months):
        lines = []
        settings = Settings(database_url=fresh_url, events_kept_months=kept_months)
        await examine(settings, say=lines.append)
        return [line for line in lines if "partitions" in line or "EVENTS_KEPT_MONTHS:" in line]

    assert await said(0) == [
        f"  assignment_events has partitions until {month(3)}",
        f"  idempotency_keys has partitions until {day(-1)}",
        "  !! idempotency_keys needs new partitions: let a server run, or look why tend_partitions fails.",
    ]
    await tend_partitions(fresh_db)
    assert await said(1) == [
        f"  assignment_events has partitions until {month(3)}",
        f"  idempotency_keys has partitions until {day(4)}",
        "  !! assignment_events_before: older than EVENTS_KEPT_MONTHS: run python -m app retain.",
    ]
