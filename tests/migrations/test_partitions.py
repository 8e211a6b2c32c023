"""Events and keys of a database in use become partitions and come back, and nobody notices."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from app.db import migrate, sql
from app.db.connections import connect
from app.db.migration_files import read
from tests.migrations.shapes import ALIKE, fill

READY, AFTER = 11, 13
BEFORE = max(m.version for m in read(sql.MIGRATIONS) if m.version < READY)
# As the release before the partitions writes and reads them.
OLD_CHANGE = """
WITH told AS (
    INSERT INTO assignment_events (ticket_id, assignment_id, type, actor, occurred_at, assignment)
    SELECT a.ticket_id, a.id, 'accepted', 'somebody', app_now(), '{}'
    FROM engineer_assignments a ORDER BY a.id LIMIT 1
    RETURNING id
)
INSERT INTO idempotency_keys (actor, key, request_hash, event_id, created_at)
SELECT 'somebody', $1, '', max(told.id), app_now() FROM told"""
OLD_LOOKUP = "SELECT k.event_id FROM idempotency_keys k WHERE k.actor = 'somebody' AND k.key = $1"
# A key of a day's last hour is entered under the next day as well.
ROWS = """
SELECT jsonb_build_object('events', (SELECT jsonb_agg(e ORDER BY e.id) FROM assignment_events e),
    'keys', (SELECT jsonb_agg(DISTINCT to_jsonb(k) - 'day') FROM idempotency_keys k))"""


@pytest.fixture
async def conn(empty_database):
    """The owner's connection to a database of the release before."""
    async with connect(empty_database) as conn:
        await fill(conn, ALIKE)
        await migrate.up(conn, sql.MIGRATIONS, to=BEFORE)
        await conn.execute(
            "INSERT INTO assignment_events (ticket_id, assignment_id, type, actor, occurred_at, assignment)"
            " SELECT a.ticket_id, a.id, 'assigned', 'x', now() - random() * interval '1 year', '{}'"
            " FROM engineer_assignments a, generate_series(1, 50)"
        )
        yield conn


async def rows(conn):
    return json.loads(await conn.fetchval(ROWS))


async def test_a_server_of_the_release_before_works_on_meanwhile(conn, empty_database):
    role = f"server_{uuid4().hex}"
    await conn.execute(f"CREATE ROLE {role} LOGIN")
    await conn.execute(
        f"GRANT SELECT ON engineer_assignments TO {role};"
        f"GRANT SELECT, INSERT ON assignment_events, idempotency_keys TO {role}"
    )
    url = urlsplit(empty_database)._replace(netloc=f"{role}@").geturl()
    done = []

    async def change():
        async with connect(url) as server:
            while True:
                await server.execute(OLD_CHANGE, str(len(done)))
                assert await server.fetchval(OLD_LOOKUP, str(len(done)))
                done.append(None)

    async def so_many_more():
        goal = len(done) + 20
        while len(done) < goal and not worker.done():  # noqa: ASYNC110 - it waits for another connection
            await asyncio.sleep(0.01)

    worker = asyncio.create_task(change())
    try:
        for move, to in (
            (migrate.up, READY),
            (migrate.up, AFTER),
            (migrate.down, BEFORE),
            (migrate.up, AFTER),
        ):
            await so_many_more()
            await move(conn, sql.MIGRATIONS, to=to)
        await so_many_more()
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
    evening = await rows(conn)
    assert evening["events"][-1]["id"] == next_id
    for _ in range(2):
        await migrate.down(conn, sql.MIGRATIONS, to=BEFORE)
        assert await rows(conn) == evening
        await migrate.up(conn, sql.MIGRATIONS, to=AFTER)
        assert await rows(conn) == evening


async def test_the_way_back_needs_no_first_partition(conn):
    await migrate.up(conn, sql.MIGRATIONS, to=AFTER)
    while await conn.fetchval("SELECT tend_partitions()"):
        pass
    await conn.execute("DROP TABLE assignment_events_before")
    await conn.execute(OLD_CHANGE, "k")  # there is no partition for this month
    kept = await rows(conn)
    await migrate.down(conn, sql.MIGRATIONS, to=BEFORE)
    assert await rows(conn) == kept


async def test_what_was_dropped_is_remembered_over_the_way_back(conn):
    await migrate.up(conn, sql.MIGRATIONS, to=AFTER)
    await conn.execute("UPDATE dropped_events SET last_id = 7")
    await migrate.down(conn, sql.MIGRATIONS, to=0)
    await migrate.up(conn, sql.MIGRATIONS, to=AFTER)
    assert await conn.fetchval("SELECT last_id FROM dropped_events") == 7


async def test_rows_are_looked_at_only_where_nobody_waits(conn):
    """The step that locks finds constraint and indexes, so it reads no row of the tables."""
    await migrate.up(conn, sql.MIGRATIONS, to=READY)
    await conn.execute("SELECT pg_stat_force_next_flush()")
    rows_read = "SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_user_tables WHERE relid = ANY ($1)"
    tables = [
        row[0]
        for row in await conn.fetch(
            "SELECT unnest(ARRAY['assignment_events', 'idempotency_keys']::regclass[])::oid"
        )
    ]
    before = await conn.fetchval(rows_read, tables)
    await migrate.up(conn, sql.MIGRATIONS, to=READY + 1)
    await conn.execute("SELECT pg_stat_force_next_flush()")
    assert await conn.fetchval(rows_read, tables) == before
