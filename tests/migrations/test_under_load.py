"""A migration while the old application works, and one that is killed half way."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from contextlib import asynccontextmanager

from app.db import migrate, sql
from app.db.connections import connect
from app.queries import migration
from tests.benchmarks.migration import Probe, fill, old_application

PROGRESS = re.compile(r"(\d+) of (\d+) tickets taken over")
AS_WRITTEN = """
SELECT t.id, btrim(lower(t.assigned_engineer_id))::uuid, t.assignment_tier
FROM service_tickets t WHERE t.id = ANY ($1)"""
AS_KEPT = """
SELECT c.ticket_id, c.engineer_id, c.assignment_tier
FROM current_ticket_assignments c WHERE c.ticket_id = ANY ($1)"""


async def test_the_old_application_notices_nothing_and_all_that_it_wrote_is_kept(empty_database):
    async with connect(empty_database) as conn:
        # Few engineers, so that a ticket is often given to who had it before, at another tier.
        await fill(conn, tickets=3000, assignments=7500, engineers=5)
        async with old_application(empty_database) as (application, tickets):
            probe = Probe(application, tickets, every_s=0.05, workers=3)
            async with probe.running():
                await migrate.up(conn, sql.MIGRATIONS)
        written = application.written
        found = {
            statement: {row[0]: tuple(row)[1:] for row in await conn.fetch(statement, list(written))}
            for statement in (AS_WRITTEN, AS_KEPT)
        }
        report = await migration.report(conn)
    assert probe.failures == []
    assert written
    assert found[AS_WRITTEN] == written
    assert found[AS_KEPT] == written
    assert [line for line in report if not line.agrees] == []


async def test_killed_half_way_it_goes_on_where_it_was(empty_database):
    async with connect(empty_database) as conn:
        await fill(conn, tickets=4000, assignments=10_000)
    async with command(empty_database, "up") as killed:
        reached = await progress(killed)
        killed.kill()
    async with command(empty_database, "status") as status:
        told, _ = await status.communicate()
    assert b"pending  0005_backfill" in told
    async with command(empty_database, "up") as again:
        went_on_at = await progress(again)
        await again.communicate()
    async with command(empty_database, "verify") as verify:
        await verify.communicate()
    assert 0 < reached < went_on_at
    assert (again.returncode, verify.returncode) == (0, 0)


@asynccontextmanager
async def command(url, name):
    """`python -m app migrate <name>`, ended when the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", "migrate", name,
        env=os.environ | {"DATABASE_URL": url}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    yield process
    await process.communicate()


async def progress(process):
    """How many tickets the next line that tells it says are taken over."""
    while True:
        line = (await process.stdout.readline()).decode()
        assert line, "It ended without a word on its progress."
        if match := PROGRESS.search(line):
            assert int(match[1]) < int(match[2])
            return int(match[1])
