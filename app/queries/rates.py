"""Reads and writes of hourly rates; the statements are in sql/queries/rates.sql."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from app.db import sql
from app.domain.model import HourlyRate

if TYPE_CHECKING:
    from decimal import Decimal

    from app.db.connections import Connection, Tx
    from app.domain.model import AuditContext, EngineerId

RateKey: TypeAlias = "tuple[datetime, int]"
"""Sort key of an engineer's rates: `valid_from` and id."""


@dataclass(frozen=True, slots=True)
class RateSnapshot:
    """What SetHourlyRate decides on. `rate` is the rate that already applies from exactly that moment."""

    now: datetime
    engineer_exists: bool
    request_hash: bytes | None
    hourly_rate_id: int | None
    rate: HourlyRate | None


_SNAPSHOT = sql.load("rates", "rate_snapshot", row=RateSnapshot)
_ADD = sql.load("rates", "add_rate", row=HourlyRate)
_INSERT_KEY = sql.load("rates", "insert_rate_key", row=type(None))
_BY_ID = sql.load("rates", "rate_by_id", row=HourlyRate)
_OF_ENGINEER = sql.load("rates", "rates_of_engineer", row=HourlyRate)
_COUNT = sql.load("rates", "count_rates_of_engineer", row=int)


async def rate_snapshot(
    tx: Tx, engineer_id: EngineerId, valid_from: datetime, *, actor: str, idempotency_key: str | None
) -> RateSnapshot:
    return await _SNAPSHOT.one(tx, engineer_id, valid_from, actor, idempotency_key)


async def add(
    tx: Tx,
    engineer_id: EngineerId,
    hourly_rate: Decimal,
    valid_from: datetime,
    *,
    set_by: str,
    set_at: datetime,
    audit_context: AuditContext,
) -> HourlyRate:
    return await _ADD.one(
        tx,
        engineer_id,
        hourly_rate,
        valid_from,
        set_by,
        set_at,
        audit_context.request_id,
        audit_context.token_id,
    )


async def insert_key(
    tx: Tx, rate: HourlyRate, *, actor: str, idempotency_key: str, request_hash: bytes, now: datetime
) -> None:
    await _INSERT_KEY.run(tx, actor, idempotency_key, request_hash, rate.id, now)


async def by_id(conn: Connection, hourly_rate_id: int) -> HourlyRate:
    return await _BY_ID.one(conn, hourly_rate_id)


async def of_engineer(
    conn: Connection, engineer_id: EngineerId, *, after: RateKey | None, first: int
) -> list[HourlyRate]:
    """The first `first` rates after the key `after`, newest first, corrected ones included."""
    valid_from, rate_id = after or (None, None)
    return await _OF_ENGINEER.all(conn, engineer_id, valid_from, rate_id, first)


async def count_of_engineer(conn: Connection, engineer_id: EngineerId) -> int:
    return await _COUNT.one(conn, engineer_id)
