"""A migration under load of the old application, and one that is killed and continued."""

import asyncio
import os
import re
import sys

import pytest

from app.db import migrate, sql
from app.db.connections import connect
from tests.benchmarks.migration import Probe, fill, old_application
from tests.migrations.shapes import mismatches

pytestmark = pytest.mark.soak
PROGRESS = re.compile(r"(\d+) of (\d+) tickets migrated")
OLD_COLUMNS = """
SELECT t.id, btrim(lower(t.assigned_engineer_id))::uuid, t.assignment_tier
FROM service_tickets t WHERE t.id = ANY ($1)"""
HISTORY = """
SELECT c.ticket_id, c.engineer_id, c.assignment_tier
FROM baton.current_ticket_assignments c WHERE c.ticket_id = ANY ($1)"""


async def test_a_migration_under_load_disturbs_no_query_and_keeps_every_write(empty_database):
    async with connect(empty_database) as conn:
        # Few engineers, so that a ticket is often reassigned to a previous engineer, at another tier.
        await fill(conn, tickets=3000, assignments=7500, engineers=5)
        async with old_application(empty_database) as (application, tickets):
            probe = Probe(application, tickets, every_s=0.05, workers=3)
            async with probe.running():
                await migrate.up(conn, sql.MIGRATIONS)
        written = application.written
        rows = {
            statement: {row[0]: tuple(row)[1:] for row in await conn.fetch(statement, list(written))}
            for statement in (OLD_COLUMNS, HISTORY)
        }
        assert await mismatches(conn) == []
    assert probe.failures == []
    assert written
    assert rows[OLD_COLUMNS] == written
    assert rows[HISTORY] == written


async def test_a_killed_migration_continues_where_it_stopped(empty_database):
    async with connect(empty_database) as conn:
        await fill(conn, tickets=4000, assignments=10_000)
        killed_at = await kill_during_backfill(empty_database)
        [half_way] = (await migrate.status(conn, sql.MIGRATIONS)).half_way
        lines: list[str] = []
        await migrate.up(conn, sql.MIGRATIONS, emit=lines.append)
        assert await mismatches(conn) == []
    assert half_way.migration.label == "0005_backfill"
    continued_at = next(int(match[1]) for line in lines if (match := PROGRESS.search(line)))
    assert 0 < killed_at < continued_at


async def kill_during_backfill(url):
    """Run `python -m app migrate up`, kill it at its first progress line; returns the migrated tickets."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", "migrate", "up",
        env=os.environ | {"DATABASE_URL": url}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        while True:
            line = (await process.stdout.readline()).decode()
            assert line, "it ended without a progress line"
            if match := PROGRESS.search(line):
                assert int(match[1]) < int(match[2])
                return int(match[1])
    finally:
        process.kill()
        await process.communicate()
