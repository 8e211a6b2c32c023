"""Statements for loading demo data; they are in sql/queries/seed.sql."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from app.db import sql

if TYPE_CHECKING:
    from app.db.connections import Connection, Tx

_IS_EMPTY = sql.load("seed", "is_empty", row=bool)
_CURRENT_TIME = sql.load("seed", "current_time", row=datetime)
_MARK = sql.load("seed", "mark_own_changes", row=str)
_ANALYZE = sql.load("seed", "analyze_tables", row=type(None))


async def is_empty(conn: Connection) -> bool:
    """Whether there is neither an engineer nor a ticket."""
    return await _IS_EMPTY.one(conn)


async def current_time(conn: Connection) -> datetime:
    return await _CURRENT_TIME.one(conn)


async def mark_own_changes(tx: Tx) -> None:
    """Inserted tickets have events of our own."""
    await _MARK.one(tx)


async def analyze_tables(tx: Tx) -> None:
    await _ANALYZE.run(tx)
