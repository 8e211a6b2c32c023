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
class KnownIds:
    """0 stands for none. `newest` may not be visible yet, or never; up to `dropped`, events are gone."""

    newest: int
    dropped: int


_WITHIN = sql.load("assignments", "events_within", row=AssignmentEvent)
_KNOWN_IDS = sql.load("assignments", "known_ids", row=KnownIds)
_NEXT_TRANSACTION = sql.load("assignments", "next_transaction", row=int)
_OLDEST_TRANSACTION = sql.load("assignments", "oldest_transaction", row=int)


async def within(
    conn: Connection,
    ranges: Ranges,
    *,
    most: int,
    ticket_id: TicketId | None = None,
    engineer_id: EngineerId | None = None,
    only_of: EngineerId | None = None,
) -> list[AssignmentEvent]:
    """The first `most` by id; `engineer_id` names whose assignments, `only_of` whose tickets."""
    firsts, lasts = [first for first, _ in ranges], [last for _, last in ranges]
    return await _WITHIN.all(conn, firsts, lasts, ticket_id, engineer_id, only_of, most)


async def known_ids(conn: Connection) -> KnownIds:
    return await _KNOWN_IDS.one(conn)


async def next_transaction(conn: Connection) -> int:
    return await _NEXT_TRANSACTION.one(conn)


async def oldest_transaction(conn: Connection) -> int:
    return await _OLDEST_TRANSACTION.one(conn)
