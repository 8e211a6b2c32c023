"""Drops event partitions older than the retention. Runs as the owner of the tables, not in a server."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from app.db.errors import Unavailable
from app.queries import partitions

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.db.connections import Connection
    from app.db.pool import Database

_ATTEMPTS = 10
_PAUSE_S = 1.0
"""Long enough for changes that waited behind the previous attempt."""


async def expired_partitions(conn: Connection, kept_months: int) -> list[str]:
    """Return the event partitions that are entirely older; none if `kept_months` is 0, which keeps all."""
    return await partitions.old_event_partitions(conn, kept_months) if kept_months else []


async def retain(
    db: Database, kept_months: int, *, dry_run: bool = False, emit: Callable[[str], object] = lambda _: None
) -> None:
    """Drop expired partitions, each in its own transaction. Raises Unavailable."""
    async with db.connection() as conn:
        names = await expired_partitions(conn, kept_months)
    for name in names:
        if dry_run:
            emit(f"{name} would be dropped")
        else:
            last_id = await _drop(db, name)
            emit(f"{name} is dropped, with all events up to {last_id}")
    if not names:
        emit("No event partition is older than the retention.")


async def _drop(db: Database, name: str) -> int:
    """Retry with short lock timeouts, so that no command waits long behind the lock."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return await db.in_transaction(partial(partitions.drop_events, partition=name))
        except Unavailable:
            await asyncio.sleep(_PAUSE_S)
    return await db.in_transaction(partial(partitions.drop_events, partition=name))
