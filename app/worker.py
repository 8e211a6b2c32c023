"""What the server does by itself while it serves. Every server does all of it; none is in another's way."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from app.db.pool import Database, Unavailable
from app.escalation import escalate_overdue
from app.queries import keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

log = structlog.get_logger()

KEYS_ARE_KEPT = timedelta(hours=24)
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Job:
    name: str
    every_s: float
    do: Callable[[Database], Awaitable[object]]


async def forget_old_keys(db: Database, *, batch: int = _BATCH) -> int:
    """Remove all that are old, in batches that each commit, so that nobody waits for long."""
    forgotten, last = 0, batch
    while last == batch:
        last = await db.in_transaction(lambda tx: keys.forget(tx, kept=KEYS_ARE_KEPT, batch=batch))
        forgotten += last
    return forgotten


JOBS = (Job("forget_old_keys", 60, forget_old_keys), Job("escalate_overdue", 10, escalate_overdue))


@asynccontextmanager
async def at_work(db: Database, jobs: Sequence[Job] = JOBS) -> AsyncIterator[None]:
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
