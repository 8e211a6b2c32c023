"""Periodic jobs in every server. They tolerate that other servers run the same jobs at the same time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import structlog

from app.db.errors import Unavailable
from app.db.pool import Database
from app.jobs.auto_escalation import escalate_overdue
from app.jobs.ticket_deadlines import close_resolved, resume_held
from app.queries import partitions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from app.domain.lifecycle import TicketRules

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Job:
    name: str
    interval_s: float
    run: Callable[[Database], Awaitable[object]]


async def tend_partitions(db: Database) -> list[str]:
    """Create partitions ahead of time and drop expired ones of keys, each in its own transaction.

    Lock timeouts are short, so a partition may have to wait for the next run. Until then, the default
    partition stores its rows.
    """
    steps: list[str] = []
    while (step := await db.in_transaction(partitions.tend)) is not None:
        log.info("partition_tended", step=step)
        steps.append(step)
    return steps


def jobs(rules: TicketRules) -> Sequence[Job]:
    return (
        Job("tend_partitions", 600, tend_partitions),
        Job("escalate_overdue", 10, escalate_overdue),
        Job("resume_held", 10, resume_held),
        Job("close_resolved", 60, partial(close_resolved, rules=rules)),
    )


@asynccontextmanager
async def running_jobs(db: Database, jobs: Sequence[Job]) -> AsyncIterator[None]:
    """Run the jobs periodically until the block ends."""
    tasks = [asyncio.create_task(_repeat(db, job)) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(db: Database, job: Job) -> None:
    while True:
        # Random, so that servers started together do not all run the job together.
        await asyncio.sleep(job.interval_s * random.uniform(0.5, 1.5))  # noqa: S311 - not a secret
        try:
            await job.run(db)
            outcome = "done"
        except Unavailable as error:
            outcome = "put_off"
            log.warning("job_put_off", job=job.name, cause=repr(error.__cause__))
        except Exception:
            outcome = "failed"
            log.exception("job_failed", job=job.name)
        db.metrics.jobs(job.name, outcome).inc()
