"""Partitions of events and keys are created and dropped while changes continue."""

import asyncio
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import quote

import asyncpg
import pytest

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.assign import AssignTicket, assign_ticket
from app.commands.run import run, run_in_transaction
from app.commands.set_hourly_rate import SetHourlyRate, run_on_rates, set_hourly_rate
from app.config import Settings
from app.db.connections import connect
from app.db.errors import Unavailable
from app.db.pool import open_database
from app.doctor import examine
from app.domain.cursor import Cursor
from app.domain.errors import IdempotencyKeyReused
from app.events import CursorTooOld, EventFilter, Feed, _check_cursor
from app.jobs.retention import expired_partitions, retain
from app.jobs.runner import tend_partitions
from app.queries import partitions
from tests.factories import ADMIN, DISPATCHER, Factories

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
THIS_MONTH = TODAY.replace(day=1)


def day(days: int) -> str:
    return f"{TODAY + timedelta(days):%Y-%m-%d}"


def day_of_keys(days: int) -> str:
    return f"idempotency_keys_p{TODAY + timedelta(days):%Y%m%d}"


def month(months: int) -> str:
    """Return the first day of the month that is `months` after this one."""
    count = THIS_MONTH.year * 12 + THIS_MONTH.month - 1 + months
    return f"{count // 12}-{count % 12 + 1:02}-01"


async def end_first_partition(url, table, end):
    """Replace the first partition by one that ends at `end`; later rows go to the other partitions."""
    async with connect(url) as conn, conn.transaction():
        await conn.execute(
            f"""LOCK TABLE service_tickets, engineer_assignments, ticket_events, idempotency_keys;
            ALTER TABLE {table} DETACH PARTITION {table}_before;
            ALTER TABLE {table}_before RENAME TO {table}_old;
            CREATE TABLE {table}_before (LIKE {table}_old INCLUDING ALL);
            ALTER TABLE {table} ATTACH PARTITION {table}_before FOR VALUES FROM (MINVALUE) TO ('{end}');
            SET LOCAL session_replication_role = replica;
            INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM {table}_old;
            DROP TABLE {table}_old"""
        )


@pytest.fixture
async def keys_ended(fresh_url):
    """The first partition of keys ends at the start of yesterday, and only the default partition follows."""
    await end_first_partition(fresh_url, "idempotency_keys", day(-1))


async def partitions_of_keys(db):
    """Return the partition of each key; of two days, that of the first."""
    by_day = "SELECT key, tableoid::regclass::text FROM idempotency_keys ORDER BY day DESC"
    async with db.connection() as conn:
        return dict(await conn.fetch(by_day))


async def partition_names(db, table):
    async with db.connection() as conn:
        rows = await conn.fetch(
            "SELECT name FROM time_partitions WHERE parent = $1 ORDER BY ends_at NULLS LAST", table
        )
    return [row[0] for row in rows]


async def assign_command(make) -> AssignTicket:
    return AssignTicket(ticket_id=await make.ticket(), engineer_id=await make.engineer())


@pytest.fixture
def make(fresh_db):
    return Factories(fresh_db)


async def test_partitions_are_created_ahead_and_past_days_of_keys_dropped(fresh_db, keys_ended, fresh_url):
    await end_first_partition(fresh_url, "ticket_events", month(-1))
    await tend_partitions(fresh_db)
    assert await partition_names(fresh_db, "idempotency_keys") == [
        *(day_of_keys(days) for days in range(4)),
        "idempotency_keys_default",
    ]
    assert await partition_names(fresh_db, "ticket_events") == [
        "ticket_events_before",
        *(f"ticket_events_p{month(n).replace('-', '')[:6]}" for n in range(3)),
        "ticket_events_default",
    ]
    assert await tend_partitions(fresh_db) == []


async def test_rows_in_the_default_partition_move_to_their_own(fresh_db, keys_ended, fresh_url, make):
    await end_first_partition(fresh_url, "ticket_events", month(-1))
    command = await assign_command(make)
    result = await run(fresh_db, DISPATCHER, assign_ticket, command, idempotency_key="k")
    assert await partitions_of_keys(fresh_db) == {"k": "idempotency_keys_default"}
    assert await run(fresh_db, DISPATCHER, assign_ticket, command, idempotency_key="k") == result
    await tend_partitions(fresh_db)
    assert await partitions_of_keys(fresh_db) == {"k": day_of_keys(0)}
    assert await run(fresh_db, DISPATCHER, assign_ticket, command, idempotency_key="k") == result
    async with fresh_db.connection() as conn:
        [partition] = await conn.fetchrow("SELECT tableoid::regclass::text FROM ticket_events")
    assert partition == f"ticket_events_p{month(0).replace('-', '')[:6]}"


async def test_concurrent_servers_do_each_step_once(fresh_db, keys_ended):
    done = await asyncio.gather(*(tend_partitions(fresh_db) for _ in range(6)))
    steps = [step for of_server in done for step in of_server]
    # A server skips its run while another one has the lock.
    assert len(steps) == len(set(steps))
    assert {"dropped idempotency_keys_before", *(f"made {day_of_keys(days)}" for days in range(4))} <= set(
        steps
    )


async def test_changes_continue_while_partitions_are_created_and_dropped(fresh_db, fresh_url, make):
    is_running = True
    commands = []

    async def change(number):
        while is_running:
            commands.append(await assign_command(make))
            key = f"{number}.{len(commands)}"
            await run(fresh_db, DISPATCHER, assign_ticket, commands[-1], idempotency_key=key)

    await end_first_partition(fresh_url, "idempotency_keys", day(-1))
    await end_first_partition(fresh_url, "ticket_events", month(-1))
    workers = [asyncio.create_task(change(number)) for number in range(4)]
    try:
        is_done = False
        while not is_done:
            try:
                is_done = await tend_partitions(fresh_db) == []
            except Unavailable:  # a lock timeout
                await asyncio.sleep(0)
    finally:
        is_running = False
        await asyncio.gather(*workers)
    async with fresh_db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM ticket_events") == len(commands)
        assert await conn.fetchval("SELECT count(DISTINCT key) FROM idempotency_keys") == len(commands)


async def test_a_lock_timeout_is_retried_by_the_next_run(fresh_db, keys_ended, make):
    await create_partitions_of_keys(fresh_db)
    async with fresh_db.transaction() as tx:
        await run_in_transaction(
            tx, DISPATCHER, assign_ticket, await assign_command(make), idempotency_key="k"
        )
        with pytest.raises(Unavailable):
            await tend_partitions(fresh_db)
    assert "dropped idempotency_keys_before" in await tend_partitions(fresh_db)


async def create_partitions_of_keys(db):
    async with db.connection() as conn:
        for _ in range(4):
            await conn.execute("SELECT tend_partitions()")


async def test_a_session_time_drops_nothing(fresh_db, fresh_url):
    before = await partition_names(fresh_db, "idempotency_keys")
    async with at(fresh_url, "2040-01-01Z") as later:
        await tend_partitions(later)
    assert "idempotency_keys_before" in before
    assert set(before) <= set(await partition_names(fresh_db, "idempotency_keys"))


async def test_single_keys_cannot_be_deleted(fresh_db, make):
    """As an older server would do, by ctid."""
    await run(fresh_db, DISPATCHER, assign_ticket, await assign_command(make), idempotency_key="k")
    async with fresh_db.connection() as conn:
        assert await conn.execute("DELETE FROM idempotency_keys") == "DELETE 0"
    assert await partitions_of_keys(fresh_db)


@asynccontextmanager
async def at(url, time):
    """Open a database with `time` as the current time of its sessions."""
    async with open_database(f"{url}{'&' if '?' in url else '?'}app.now={quote(time)}", pool_size=3) as db:
        yield db


# Around midnight both days have their own partitions, or the next day has none, or both are in the first one.
@pytest.mark.parametrize(
    "evening", [9, 6, 2], ids=["own partitions", "none for the next day", "first partition"]
)
@pytest.mark.parametrize("first", ["before midnight", "after midnight"])
async def test_concurrent_uses_of_a_key_around_midnight_conflict(fresh_db, fresh_url, make, evening, first):
    if evening == 9:
        async with connect(fresh_url) as conn:
            for days in (9, 10):
                await conn.execute(
                    "SELECT make_time_partition('idempotency_keys', $1, 'day', $2, $3)",
                    day_of_keys(days),
                    day(days),
                    day(days + 1),
                )
    commands = [await assign_command(make), await assign_command(make)]
    async with (
        at(fresh_url, f"{day(evening)} 23:59:59.9Z") as before_midnight,
        at(fresh_url, f"{day(evening + 1)} 00:00:00.1Z") as after_midnight,
    ):
        one, other = (
            (before_midnight, after_midnight)
            if first == "before midnight"
            else (after_midnight, before_midnight)
        )
        async with one.transaction() as tx:
            await run_in_transaction(tx, DISPATCHER, assign_ticket, commands[0], idempotency_key="k")
            second = asyncio.create_task(
                run(other, DISPATCHER, assign_ticket, commands[1], idempotency_key="k")
            )
            await wait_until_blocked(fresh_db, second)
        with pytest.raises(IdempotencyKeyReused):
            await second
    async with fresh_db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM engineer_assignments") == 1


async def wait_until_blocked(db, task):
    """Wait until a lock is not granted, or `task` is done."""
    async with db.connection() as conn:
        while not task.done():
            if await conn.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                return
            await asyncio.sleep(0.01)


async def test_a_key_is_known_on_the_next_day_and_unknown_once_dropped(fresh_db, fresh_url, make):
    command = await assign_command(make)
    async with at(fresh_url, f"{day(-1)} 00:00:01Z") as yesterday:
        result = await run(yesterday, DISPATCHER, assign_ticket, command, idempotency_key="k")
    await end_first_partition(fresh_url, "idempotency_keys", day(0))
    await tend_partitions(fresh_db)
    assert await run(fresh_db, DISPATCHER, assign_ticket, command, idempotency_key="k") == result
    await drop_day(fresh_url, "idempotency_keys_before")
    other = await assign_command(make)
    assert (await run(fresh_db, DISPATCHER, assign_ticket, other, idempotency_key="k")).id != result.id


async def test_a_key_never_ends_before_it_began(fresh_db, fresh_url, make):
    """The clock is set back after each reading."""
    async with connect(fresh_url) as conn:
        await conn.execute("CREATE SEQUENCE readings")
        await conn.execute(
            """CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql VOLATILE
            AS $$ SELECT transaction_timestamp() - interval '3 days' * nextval('public.readings') $$"""
        )
        await run(fresh_db, DISPATCHER, assign_ticket, await assign_command(make), idempotency_key="k")
        rate = SetHourlyRate(engineer_id=await make.engineer(), hourly_rate=Decimal(1), valid_from=TODAY)
        await run_on_rates(fresh_db, ADMIN, set_hourly_rate, rate, idempotency_key="r")
        keys = await conn.fetch(
            "SELECT key, day >= (created_at AT TIME ZONE 'UTC')::date FROM idempotency_keys"
        )
    assert {row[0] for row in keys} == {"k", "r"}
    assert all(row[1] for row in keys)


async def drop_day(url, name):
    async with connect(url) as conn:
        await conn.execute(f"DROP TABLE {name}")


@pytest.fixture
async def old_events(fresh_db, fresh_url, make):
    """Two events of a past month and one of this month; returns the ids of the first two."""
    async with at(fresh_url, f"{month(-3)} 00:00:01Z") as then:
        for _ in range(2):
            await run(then, DISPATCHER, assign_ticket, await assign_command(make))
    await run(fresh_db, DISPATCHER, assign_ticket, await assign_command(make))
    await end_first_partition(fresh_url, "ticket_events", month(-2))
    await tend_partitions(fresh_db)
    async with fresh_db.connection() as conn:
        return [row[0] for row in await conn.fetch("SELECT id FROM ticket_events ORDER BY id LIMIT 2")]


async def test_only_old_months_of_events_are_dropped(fresh_db, old_events):
    lines = []
    async with fresh_db.connection() as conn:
        assert await expired_partitions(conn, 0) == await expired_partitions(conn, 4) == []
        assert await expired_partitions(conn, 1) == ["ticket_events_before"]
    await retain(fresh_db, 1, dry_run=True, emit=lines.append)
    assert "ticket_events_before" in await partition_names(fresh_db, "ticket_events")
    await retain(fresh_db, 1, emit=lines.append)
    await retain(fresh_db, 1, emit=lines.append)
    assert lines == [
        "ticket_events_before would be dropped",
        f"ticket_events_before is dropped, with all events up to {old_events[1]}",
        "No event partition is older than the retention.",
    ]
    async with fresh_db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM ticket_events") == 1
        assert await conn.fetchval("SELECT count(*) FROM engineer_assignments") == 3


async def test_a_month_that_has_not_ended_cannot_be_dropped(fresh_db, old_events):
    for name in (await partition_names(fresh_db, "ticket_events"))[1:]:
        async with fresh_db.connection() as conn:
            with pytest.raises(asyncpg.RaiseError, match="is no month of events that is over"):
                await partitions.drop_events(conn, name)


@asynccontextmanager
async def running_feed(url):
    feed = Feed(url)
    task = asyncio.create_task(feed.run())
    try:
        yield feed
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_cursor_before_dropped_events_is_rejected_and_a_later_one_works(
    fresh_db, fresh_url, old_events, make
):
    await retain(fresh_db, 1)
    async with running_feed(fresh_url) as feed:
        async with aclosing(feed.follow(fresh_db, EventFilter(), Cursor.after(old_events[0]))) as items:
            with pytest.raises(CursorTooOld):
                await anext(items)
        async with aclosing(feed.follow(fresh_db, EventFilter(), Cursor.after(old_events[1]))) as items:
            assert (await anext(items)).event.id == old_events[1] + 1


async def test_a_cursor_works_after_all_events_up_to_it_are_dropped(fresh_db, fresh_url, make):
    async with at(fresh_url, f"{month(-3)} 00:00:01Z") as then:
        assignment = await run(then, DISPATCHER, assign_ticket, await assign_command(make))
    await end_first_partition(fresh_url, "ticket_events", month(-2))
    await retain(fresh_db, 1)
    await _check_cursor(fresh_db, Cursor.after(1))
    async with (
        running_feed(fresh_url) as feed,
        aclosing(feed.follow(fresh_db, EventFilter(), Cursor.after(1))) as items,
    ):
        await run(fresh_db, DISPATCHER, accept_assignment, AcceptAssignment(assignment_id=assignment.id))
        assert (await anext(items)).event.type == "accepted"


async def test_the_doctor_reports_what_is_due(fresh_db, fresh_url, old_events, keys_ended):
    async def report(kept_months):
        lines = []
        settings = Settings(database_url=fresh_url, events_kept_months=kept_months)
        await examine(settings, emit=lines.append)
        return [line for line in lines if "partitions" in line or "EVENTS_KEPT_MONTHS:" in line]

    assert await report(0) == [
        f"  idempotency_keys has partitions until {day(-1)}",
        "  !! idempotency_keys needs new partitions: run a server, or find out why tend_partitions fails.",
        f"  ticket_events has partitions until {month(3)}",
    ]
    await tend_partitions(fresh_db)
    assert await report(1) == [
        f"  idempotency_keys has partitions until {day(4)}",
        f"  ticket_events has partitions until {month(3)}",
        "  !! ticket_events_before: older than EVENTS_KEPT_MONTHS: run .venv/bin/python -m app retain.",
    ]
