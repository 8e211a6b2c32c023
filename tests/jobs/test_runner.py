"""What the server does by itself: done once, however many servers do it, and gone on with after a fault."""

from __future__ import annotations

import asyncio

import asyncpg
from structlog.testing import capture_logs

from app.db.errors import Unavailable
from app.jobs.runner import Job, running_jobs


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
        async with running_jobs(db, [Job("fails_twice", 0.01, fails_twice)]), asyncio.timeout(20):
            await done.wait()
    assert [(record["event"], record["job"]) for record in logs] == [
        ("job_put_off", "fails_twice"),
        ("job_failed", "fails_twice"),
    ]
