"""The partitions of events and idempotency keys; the statements are in sql/queries/partitions.sql."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from app.db import sql

if TYPE_CHECKING:
    from app.db.connections import Connection, Tx


@dataclass(frozen=True, slots=True)
class Ready:
    """Until when a table has partitions. What comes later is stored all the same, beside them."""

    table: str
    until: datetime
    in_time: bool


_TEND = sql.load("partitions", "tend_partitions", row=str)
_READY = sql.load("partitions", "ready_until", row=Ready)
_OLD_EVENTS = sql.load("partitions", "old_events", row=str)
_DROP_EVENTS = sql.load("partitions", "drop_events", row=int)


async def tend(tx: Tx) -> str | None:
    """Make or drop the one partition that is due, and say what was done; None when nothing is left to do."""
    return await _TEND.first(tx)


async def ready_until(conn: Connection) -> list[Ready]:
    return await _READY.all(conn)


async def old_events(conn: Connection, kept_months: int) -> list[str]:
    """The months of events that ended so long ago, the oldest first."""
    return await _OLD_EVENTS.all(conn, kept_months)


async def drop_events(tx: Tx, partition: str) -> int:
    """Drop a month that is over; the highest id in it. Only the owner of the tables may."""
    return await _DROP_EVENTS.one(tx, partition)
