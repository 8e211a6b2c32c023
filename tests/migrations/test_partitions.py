"""Partitioning events and keys of a database in use, and undoing it, while servers keep working."""

import asyncio
import json
from contextlib import suppress
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from app.db import migrate, sql
from app.db.connections import connect
from app.db.migration_files import read
from app.db.migrator import LockPolicy
from tests.migrations.shapes import DOCUMENTED

VERSIONS = {m.name: m.version for m in read(sql.MIGRATIONS)}
PREPARED, AFTER = VERSIONS["prepare_partitions"], VERSIONS["partition_policy"]
BEFORE = PREPARED - 1
# The statements of a server that knows no partitions.
OLD_CHANGE = """
WITH inserted AS (
    INSERT INTO assignment_events (ticket_id, assignment_id, type, actor, occurred_at, assignment)
    SELECT a.ticket_id, a.id, 'accepted', 'somebody', app_now(), '{}'
    FROM engineer_assignments a ORDER BY a.id LIMIT 1
    RETURNING id
)
INSERT INTO idempotency_keys (actor, key, request_hash, event_id, created_at)
SELECT 'somebody', $1, '', max(inserted.id), app_now() FROM inserted"""
OLD_LOOKUP = "SELECT k.event_id FROM idempotency_keys k WHERE k.actor = 'somebody' AND k.key = $1"
# A key of the last hour of a day is also inserted for the next day.
ROWS = """
SELECT jsonb_build_object('events', (SELECT jsonb_agg(e ORDER BY e.id) FROM assignment_events e),
    'keys', (SELECT jsonb_agg(DISTINCT to_jsonb(k) - 'day') FROM idempotency_keys k))"""


@pytest.fixture
async def legacy(legacy_database):
    """A database before partitioning, with events of a year."""
    legacy = await legacy_database(DOCUMENTED, to=BEFORE)
    await legacy.conn.execute(
        "INSERT INTO assignment_events (ticket_id, assignment_id, type, actor, occurred_at, assignment)"
        " SELECT a.ticket_id, a.id, 'assigned', 'x', now() - random() * interval '1 year', '{}'"
        " FROM engineer_assignments a, generate_series(1, 50)"
    )
    return legacy


@pytest.fixture
def conn(legacy):
    return legacy.conn


async def rows(conn):
    return json.loads(await conn.fetchval(ROWS))


async def test_a_server_without_partitions_works_during_each_step(legacy):
    conn, role = legacy.conn, f"server_{uuid4().hex}"
    await conn.execute(f"CREATE ROLE {role} LOGIN")
    await conn.execute(
        f"GRANT SELECT ON engineer_assignments TO {role};"
        f"GRANT SELECT, INSERT ON assignment_events, idempotency_keys TO {role}"
    )
    url = urlsplit(legacy.url)._replace(netloc=f"{role}@").geturl()
    done = []

    async def change():
        async with connect(url) as server:
            while True:
                await server.execute(OLD_CHANGE, str(len(done)))
                assert await server.fetchval(OLD_LOOKUP, str(len(done)))
                done.append(None)

    async def wait_for_changes():
        target = len(done) + 20
        while len(done) < target and not worker.done():  # noqa: ASYNC110 - waits for another connection
            await asyncio.sleep(0.01)

    worker = asyncio.create_task(change())
    steps = ((migrate.up, PREPARED), (migrate.up, AFTER), (migrate.down, BEFORE), (migrate.up, AFTER))
    try:
        for step, to in steps:
            await wait_for_changes()
            await step(conn, sql.MIGRATIONS, to=to, lock_policy=LockPolicy(retry_delay_s=0.05))
        await wait_for_changes()
    finally:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker
    ids = [event["id"] for event in (await rows(conn))["events"]]
    assert len(ids) == len(set(ids))
    assert await conn.fetchval("SELECT count(*) FROM idempotency_keys") >= len(done) > 80
    await conn.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_up_and_down_and_up_keep_every_row(conn):
    await conn.execute(OLD_CHANGE, "k")
    before = await rows(conn)
    next_id = before["events"][-1]["id"] + 1
    await migrate.up(conn, sql.MIGRATIONS, to=AFTER)
    assert await rows(conn) == before
    await conn.execute(OLD_CHANGE, "later")
    after = await rows(conn)
    assert after["events"][-1]["id"] == next_id
    for _ in range(2):
        await migrate.down(conn, sql.MIGRATIONS, to=BEFORE)
        assert await rows(conn) == after
        await migrate.up(conn, sql.MIGRATIONS, to=AFTER)
        assert await rows(conn) == after


async def test_down_works_without_the_first_partition(conn):
    await migrate.up(conn, sql.MIGRATIONS, to=AFTER)
    while await conn.fetchval("SELECT tend_partitions()"):
        pass
    await conn.execute("DROP TABLE assignment_events_before")
    await conn.execute(OLD_CHANGE, "k")  # stored in the default partition
    before = await rows(conn)
    await migrate.down(conn, sql.MIGRATIONS, to=BEFORE)
    assert await rows(conn) == before


async def test_the_highest_dropped_id_is_kept_by_down_and_up(conn):
    await migrate.up(conn, sql.MIGRATIONS, to=AFTER)
    await conn.execute("UPDATE dropped_events SET last_id = 7")
    await migrate.down(conn, sql.MIGRATIONS, to=0)
    await migrate.up(conn, sql.MIGRATIONS, to=AFTER)
    assert await conn.fetchval("SELECT last_id FROM dropped_events") == 7


async def test_the_locking_step_reads_no_rows(conn):
    """It uses the check constraints and indexes that the step before has built."""
    await migrate.up(conn, sql.MIGRATIONS, to=PREPARED)
    await conn.execute("SELECT pg_stat_force_next_flush()")
    rows_read = "SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_user_tables WHERE relid = ANY ($1)"
    oids = "SELECT unnest(ARRAY['assignment_events', 'idempotency_keys']::regclass[])::oid"
    tables = [row[0] for row in await conn.fetch(oids)]
    before = await conn.fetchval(rows_read, tables)
    await migrate.up(conn, sql.MIGRATIONS, to=PREPARED + 1)
    await conn.execute("SELECT pg_stat_force_next_flush()")
    assert await conn.fetchval(rows_read, tables) == before
