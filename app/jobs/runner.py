"""What the server does by itself while it serves. Every server does all of it; none is in another's way."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from app.db.errors import Unavailable
from app.db.pool import Database
from app.jobs.auto_escalation import escalate_overdue
from app.queries import partitions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Job:
    name: str
    every_s: float
    do: Callable[[Database], Awaitable[object]]


async def tend_partitions(db: Database) -> list[str]:
    """Make what will be needed and drop the days of keys that are over, each in a transaction of its own.

    Each waits for others for an instant only and is put off else: there is time, as partitions are made
    ahead, and what fits into none is stored all the same.
    """
    done: list[str] = []
    while (step := await db.in_transaction(partitions.tend)) is not None:
        log.info("partition_tended", step=step)
        done.append(step)
    return done


JOBS = (Job("tend_partitions", 600, tend_partitions), Job("escalate_overdue", 10, escalate_overdue))


@asynccontextmanager
async def running_jobs(db: Database, jobs: Sequence[Job] = JOBS) -> AsyncIterator[None]:
    """Do the jobs again and again until the block ends."""
    tasks = [asyncio.create_task(_repeat(db, job)) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(db: Database, job: Job) -> None:
    while True:
        # Servers that were started together should not all ask together.
        await asyncio.sleep(job.every_s * random.uniform(0.5, 1.5))  # noqa: S311 - not a secret
        try:
            await job.do(db)
            outcome = "done"
        except Unavailable as error:
            outcome = "put_off"
            log.warning("job_put_off", job=job.name, cause=repr(error.__cause__))
        except Exception:
            outcome = "failed"
            log.exception("job_failed", job=job.name)
        db.metrics.jobs(job.name, outcome).inc()
