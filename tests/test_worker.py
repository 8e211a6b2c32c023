"""What the server does by itself: done once, however many servers do it, and gone on with after a fault."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from structlog.testing import capture_logs

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.assign import AssignTicket, assign_ticket
from app.commands.run import run
from app.db.pool import Unavailable
from app.worker import Job, at_work, forget_old_keys
from tests.make import DISPATCHER

OLD = "UPDATE idempotency_keys SET created_at = now() - interval '24 hours 1 second' WHERE key LIKE $1"


@pytest.fixture
async def keys(db, make):
    """Makes changes under these keys; tells which keys are known."""
    engineer = await make.engineer()

    async def use(*names):
        for name in names:
            wish = AssignTicket(ticket_id=await make.ticket(), engineer_id=engineer)
            await run(db, DISPATCHER, assign_ticket, wish, idempotency_key=name)

    async def known():
        async with db.connection() as conn:
            return {row[0] for row in await conn.fetch("SELECT key FROM idempotency_keys")}

    return use, known


async def test_keys_are_known_for_a_day(db, keys):
    use, known = keys
    await use("old 1", "old 2", "old 3", "new")
    async with db.connection() as conn:
        await conn.execute(OLD, "old%")
    assert await forget_old_keys(db, batch=2) == 3
    assert await known() == {"new"}
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM assignment_events") == 4


async def test_a_key_that_was_forgotten_is_new(db, make):
    held = await make.assigned()
    wish = AcceptAssignment(assignment_id=held.id)
    await run(db, DISPATCHER, accept_assignment, wish, idempotency_key="k")
    async with db.connection() as conn:
        await conn.execute(OLD, "k")
    await forget_old_keys(db)
    elsewhere = AcceptAssignment(assignment_id=(await make.assigned()).id)
    accepted = await run(db, DISPATCHER, accept_assignment, elsewhere, idempotency_key="k")
    assert accepted.id == elsewhere.assignment_id


async def test_servers_forget_together_and_wait_for_nobody(db, keys):
    use, known = keys
    await use(*(f"old {n}" for n in range(20)))
    async with db.connection() as conn:
        await conn.execute(OLD, "old%")
        async with conn.transaction():
            await conn.execute("SELECT FROM idempotency_keys WHERE key = 'old 0' FOR UPDATE")
            forgotten = await asyncio.gather(*(forget_old_keys(db, batch=3) for _ in range(4)))
            assert await known() == {"old 0"}
    assert sum(forgotten) == 19


async def test_a_job_that_fails_is_said_and_tried_again(db):
    tries = []
    done = asyncio.Event()

    async def fails_twice(_):
        tries.append(None)
        if len(tries) == 1:
            raise Unavailable from ConnectionRefusedError()
        if len(tries) == 2:
            raise asyncpg.DataError("wrong")
        done.set()

    with capture_logs() as logs:
        async with at_work(db, [Job("fails_twice", 0.01, fails_twice)]), asyncio.timeout(20):
            await done.wait()
    assert [(record["event"], record["job"]) for record in logs] == [
        ("job_put_off", "fails_twice"),
        ("job_failed", "fails_twice"),
    ]
