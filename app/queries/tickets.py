"""Reads of service_tickets; the statements are in sql/queries/tickets.sql."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from app.db import sql
from app.domain.lifecycle import TERMINAL_TICKET_STATUSES
from app.domain.model import (
    Assignment,
    Engineer,
    EngineerId,
    Ticket,
    TicketPriority,
    TicketStatus,
    row,
)
from app.queries import server

if TYPE_CHECKING:
    from datetime import datetime

    from app.db.connections import Connection, Tx
    from app.db.sql import Query
    from app.domain.model import AssignmentId, TicketId

TicketKey: TypeAlias = "tuple[datetime, TicketId]"
"""Where a ticket stands among the newest first: when it was created, and its id."""


@row
class TicketWithAssignment:
    """An assignment with its ticket and its engineer; a ticket that was given to nobody stands alone."""

    ticket: Ticket
    assignment: Assignment | None
    engineer: Engineer | None


_LOCK = sql.load("tickets", "lock_ticket", row=type(None))
_BY_IDS = sql.load("tickets", "tickets_by_ids", row=Ticket)
_WITH_CURRENT = sql.load("tickets", "tickets_with_current", row=TicketWithAssignment)
_WITH_HISTORY = sql.load("tickets", "tickets_with_history", row=TicketWithAssignment)
_NEWEST = sql.load("tickets", "newest_tickets", row=Ticket)
_NEWEST_OF_STATUSES = sql.load("tickets", "newest_tickets_of_statuses", row=Ticket)
_NEWEST_HELD = sql.load("tickets", "newest_tickets_held", row=Ticket)
_NEWEST_MATCHING = sql.load("tickets", "newest_tickets_matching", row=Ticket)
_COUNT_HELD = sql.load("tickets", "count_tickets_held", row=int)
_NEWEST_OF_ENGINEER = sql.load("tickets", "newest_tickets_of_engineer", row=Ticket)
_COUNT_OF_ENGINEER = sql.load("tickets", "count_tickets_of_engineer", row=int)
_COUNT = sql.load("tickets", "count_tickets", row=int)

_OPEN = tuple(status for status in TicketStatus if status not in TERMINAL_TICKET_STATUSES)


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """Every part that is not None narrows the list."""

    statuses: Sequence[TicketStatus] | None = None
    priorities: Sequence[TicketPriority] | None = None
    engineer_id: EngineerId | None = None
    tier: int | None = None
    unassigned: bool | None = None
    search: str | None = None

    @property
    def held(self) -> bool:
        """Somebody must hold the ticket."""
        return self.engineer_id is not None or self.tier is not None or self.unassigned is False

    @property
    def shown_statuses(self) -> Sequence[TicketStatus] | None:
        """An ended ticket needs no engineer, so unassigned means open ones unless statuses are named."""
        if self.statuses is None:
            return _OPEN if self.unassigned else None
        return tuple(dict.fromkeys(self.statuses))  # each is walked once, also where it is named twice

    @property
    def as_columns(self) -> tuple[object, ...]:
        """Engineer, tier, held, statuses, priorities, search: what a statement of all parts takes."""
        held = None if self.unassigned is None else not self.unassigned
        return self.engineer_id, self.tier, held, self.shown_statuses, self.priorities, self.pattern

    @property
    def pattern(self) -> str | None:
        return like(self.search)


def like(search: str | None) -> str | None:
    """The ILIKE pattern that finds `search` anywhere, with nothing in it special."""
    if search is None:
        return None
    escaped = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


async def lock(tx: Tx, ticket_id: TicketId | None, assignment_id: AssignmentId | None = None) -> None:
    """Hold the row of the ticket, else that of the assignment's ticket, until `tx` ends."""
    await _LOCK.run(tx, ticket_id, assignment_id)


async def by_ids(
    conn: Connection,
    ticket_ids: Sequence[TicketId],
    *,
    visible_to: EngineerId | None = None,
    omit: frozenset[str] = frozenset(),
) -> list[Ticket]:
    """`only_of`, here and below, leaves tickets that the engineer never had out; None leaves none out.

    None stands in the fields of columns to `leave_out`.
    """
    return await _BY_IDS.all(conn, ticket_ids, visible_to, omit=omit)


async def with_current(
    conn: Connection,
    ticket_ids: Sequence[TicketId],
    *,
    visible_to: EngineerId | None = None,
    omit: frozenset[str] = frozenset(),
) -> list[TicketWithAssignment]:
    """Each ticket once, with the assignment that is current."""
    return await _WITH_CURRENT.all(conn, ticket_ids, visible_to, omit=omit)


async def with_history(
    conn: Connection,
    ticket_ids: Sequence[TicketId],
    *,
    visible_to: EngineerId | None = None,
    omit: frozenset[str] = frozenset(),
) -> list[TicketWithAssignment]:
    """By ticket, then by sequence."""
    return await _WITH_HISTORY.all(conn, ticket_ids, visible_to, omit=omit)


async def newest(
    conn: Connection,
    wanted: TicketFilter,
    *,
    after: TicketKey | None,
    first: int,
    visible_to: EngineerId | None = None,
    omit: frozenset[str] = frozenset(),
) -> list[Ticket]:
    """The page of `first` tickets that follows `after`, newest first.

    Which statement answers depends on what narrows most, so that each has its index.
    """
    if wanted.held and wanted.unassigned:
        return []
    at, ticket_id = after or (None, None)
    statuses = wanted.shown_statuses
    unassigned = bool(wanted.unassigned)
    narrowing: tuple[object, ...]
    if visible_to is not None:
        query = _NEWEST_OF_ENGINEER
        narrowing = (visible_to, *wanted.as_columns)
    elif wanted.held:
        query = _NEWEST_HELD
        narrowing = (wanted.engineer_id, wanted.tier, statuses, wanted.priorities, wanted.pattern)
    elif wanted.search is not None:
        query = _NEWEST_MATCHING
        narrowing = (wanted.pattern, statuses, wanted.priorities, unassigned)
    elif statuses is not None:
        query = _NEWEST_OF_STATUSES
        narrowing = (statuses, wanted.priorities, unassigned)
    else:
        query = _NEWEST
        narrowing = (wanted.priorities,)
    async with _planned(conn, query):
        return await query.all(conn, *narrowing, at, ticket_id, first, omit=omit)


async def count(conn: Connection, wanted: TicketFilter, *, visible_to: EngineerId | None = None) -> int:
    if wanted.held and wanted.unassigned:
        return 0
    if visible_to is not None:
        return await _COUNT_OF_ENGINEER.one(conn, visible_to, *wanted.as_columns)
    statuses = wanted.shown_statuses
    if wanted.held:
        return await _COUNT_HELD.one(
            conn, wanted.engineer_id, wanted.tier, statuses, wanted.priorities, wanted.pattern
        )
    async with _planned(conn, _COUNT):
        return await _COUNT.one(conn, statuses, wanted.priorities, wanted.pattern, bool(wanted.unassigned))


def _planned(conn: Connection, query: Query[Any]) -> AbstractAsyncContextManager[None]:
    """What narrows most differs from call to call where a search or nothing but statuses may do."""
    if query in (_NEWEST_MATCHING, _COUNT):
        return server.planned_for_values(conn)
    return nullcontext()
