"""Reads of assignment_events; the statements are in sql/queries/assignments.sql."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.db import sql
from app.db.errors import UNREADABLE_ROW_ERRORS
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


@dataclass(frozen=True, slots=True)
class UnreadableEvent:
    """An event with a stored assignment that the table's columns cannot hold."""

    id: int
    error: Exception


_WITHIN = sql.load("assignments", "events_in_ranges", row=AssignmentEvent)
_IDS_WITHIN = sql.load("assignments", "event_ids_in_ranges", row=int)
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
) -> list[AssignmentEvent | UnreadableEvent]:
    """The first `limit` events in `ranges` by id, of one ticket, of one engineer's assignments, or of all."""
    firsts, lasts = [first for first, _ in ranges], [last for _, last in ranges]
    parameters = firsts, lasts, ticket_id, engineer_id, visible_to, limit
    try:
        return list(await _WITHIN.all(conn, *parameters))
    except UNREADABLE_ROW_ERRORS:
        ids = await _IDS_WITHIN.all(conn, *parameters)
        return [event for event_id in ids for event in await _by_id(conn, event_id)]


async def _by_id(conn: Connection, event_id: int) -> list[AssignmentEvent] | list[UnreadableEvent]:
    try:
        return await _WITHIN.all(conn, [event_id], [event_id], None, None, None, 1)
    except UNREADABLE_ROW_ERRORS as error:
        return [UnreadableEvent(event_id, error)]


async def event_id_bounds(conn: Connection) -> EventIdBounds:
    return await _ID_BOUNDS.one(conn)


async def next_transaction_id(conn: Connection) -> int:
    return await _NEXT_TRANSACTION.one(conn)


async def oldest_running_transaction_id(conn: Connection) -> int:
    return await _OLDEST_TRANSACTION.one(conn)
