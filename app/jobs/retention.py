"""Drops the months of events that are older than they are kept: the owner of the tables, never a server."""

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
"""Long enough for the changes that waited behind the last attempt to get through."""


async def outdated(conn: Connection, kept_months: int) -> list[str]:
    """The partitions of events that are older, whole; none when 0 months say that all are kept."""
    return await partitions.old_events(conn, kept_months) if kept_months else []


async def retain(
    db: Database, kept_months: int, *, dry_run: bool = False, say: Callable[[str], object] = lambda _: None
) -> None:
    """Drop what is outdated, each month in a transaction of its own. Raises Unavailable."""
    async with db.connection() as conn:
        names = await outdated(conn, kept_months)
    for name in names:
        if dry_run:
            say(f"{name} would be dropped")
        else:
            last_id = await _drop(db, name)
            say(f"{name} is dropped, with all events up to {last_id}")
    if not names:
        say("No month of events is older than it is kept.")


async def _drop(db: Database, name: str) -> int:
    """Nobody is kept waiting for long: it gives up after an instant and tries again."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return await db.in_transaction(partial(partitions.drop_events, partition=name))
        except Unavailable:
            await asyncio.sleep(_PAUSE_S)
    return await db.in_transaction(partial(partitions.drop_events, partition=name))
