"""The partitions of events and idempotency keys; the statements are in sql/queries/partitions.sql."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from app.db import sql

if TYPE_CHECKING:
    from app.db.connections import Connection, Tx


@dataclass(frozen=True, slots=True)
class PartitionsReady:
    """Until when a table has partitions. Later rows are stored in its default partition."""

    table: str
    until: datetime
    in_time: bool


_TEND = sql.load("partitions", "tend_partitions", row=str)
_READY = sql.load("partitions", "partitions_ready_until", row=PartitionsReady)
_OLD_EVENT_PARTITIONS = sql.load("partitions", "old_event_partitions", row=str)
_DROP_EVENTS = sql.load("partitions", "drop_events", row=int)


async def tend(tx: Tx) -> str | None:
    """Create or drop one partition that is due. Returns a description; None if none is due."""
    return await _TEND.first(tx)


async def ready_until(conn: Connection) -> list[PartitionsReady]:
    return await _READY.all(conn)


async def old_event_partitions(conn: Connection, kept_months: int) -> list[str]:
    """The monthly event partitions that ended that long ago, oldest first."""
    return await _OLD_EVENT_PARTITIONS.all(conn, kept_months)


async def drop_events(tx: Tx, partition: str) -> int:
    """Drop a past monthly partition and return its highest event id. Requires the owner of the tables."""
    return await _DROP_EVENTS.one(tx, partition)
