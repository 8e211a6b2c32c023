"""The keys of repeated requests; the statement is in sql/queries/keys.sql."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.db import sql

if TYPE_CHECKING:
    from datetime import timedelta

    from app.db.pool import Tx

_FORGET = sql.load("keys", "forget_keys", row=int)


async def forget(tx: Tx, *, kept: timedelta, batch: int) -> int:
    """How many of the keys older than `kept` were removed: `batch` at most."""
    return await _FORGET.one(tx, kept, batch)
