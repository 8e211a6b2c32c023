"""Periodic jobs continue after an error."""

import asyncio

import asyncpg
from structlog.testing import capture_logs

from app.db.errors import Unavailable
from app.jobs.runner import Job, running_jobs


async def test_failed_job_is_logged_and_runs_again(db):
    attempts = []
    done = asyncio.Event()

    async def fails_twice(_):
        attempts.append(None)
        if len(attempts) == 1:
            raise Unavailable from ConnectionRefusedError()
        if len(attempts) == 2:
            raise asyncpg.DataError("wrong")
        done.set()

    with capture_logs() as logs:
        async with running_jobs(db, [Job("fails_twice", 0.01, fails_twice)]), asyncio.timeout(20):
            await done.wait()
    assert [(record["event"], record["job"]) for record in logs] == [
        ("job_put_off", "fails_twice"),
        ("job_failed", "fails_twice"),
    ]
