"""Reads of assignment_events; the statements are in sql/queries/assignments.sql."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.db import sql
from app.domain.model import AssignmentEvent

if TYPE_CHECKING:
    from app.db.connections import Connection
    from app.domain.cursor import Ranges
    from app.domain.model import EngineerId, TicketId


@dataclass(frozen=True, slots=True)
class EventIdBounds:
    """0 means none. Event `newest` may not be visible yet, or never; events up to `dropped` are deleted."""

    newest: int
    dropped: int


_WITHIN = sql.load("assignments", "events_in_ranges", row=AssignmentEvent)
_ID_BOUNDS = sql.load("assignments", "event_id_bounds", row=EventIdBounds)
_NEXT_TRANSACTION = sql.load("assignments", "next_transaction_id", row=int)
_OLDEST_TRANSACTION = sql.load("assignments", "oldest_running_transaction_id", row=int)


async def within(
    conn: Connection,
    ranges: Ranges,
    *,
    limit: int,
    ticket_id: TicketId | None = None,
    engineer_id: EngineerId | None = None,
    visible_to: EngineerId | None = None,
) -> list[AssignmentEvent]:
    """The first `limit` events in `ranges` by id, of one ticket, of one engineer's assignments, or of all."""
    firsts, lasts = [first for first, _ in ranges], [last for _, last in ranges]
    return await _WITHIN.all(conn, firsts, lasts, ticket_id, engineer_id, visible_to, limit)


async def event_id_bounds(conn: Connection) -> EventIdBounds:
    return await _ID_BOUNDS.one(conn)


async def next_transaction_id(conn: Connection) -> int:
    return await _NEXT_TRANSACTION.one(conn)


async def oldest_running_transaction_id(conn: Connection) -> int:
    return await _OLDEST_TRANSACTION.one(conn)
