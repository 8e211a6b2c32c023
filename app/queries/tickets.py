"""Reads of service_tickets; the statements are in sql/queries/tickets.sql."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from app.db import sql
from app.db.text_columns import fetch_rows
from app.domain.declarations import api_field, row_dataclass
from app.domain.lifecycle import TERMINAL_TICKET_STATUSES
from app.domain.model import (
    Assignment,
    Engineer,
    EngineerId,
    Ticket,
    TicketDetails,
    TicketId,
    TicketNote,
    TicketPriority,
    TicketStatus,
)
from app.queries import server

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from app.db.connections import Connection, Tx
    from app.db.sql import Query
    from app.domain.model import AssignmentId

TicketKey: TypeAlias = "tuple[datetime, TicketId]"
"""Sort key of tickets: `created_at` and id."""


@row_dataclass
class TicketWithAssignment:
    """An assignment with its ticket and engineer. Both are None for a ticket without assignments."""

    ticket: Ticket
    assignment: Assignment | None
    engineer: Engineer | None


@row_dataclass
class ExternalId:
    """The id of a ticket in another system. It belongs to one ticket."""

    ticket_id: TicketId
    source: str = api_field("Name of the other system.")
    id: str = api_field("Id of the ticket in that system.")


class TicketKeys(NamedTuple):
    """Keys of a ticket, of which one is given."""

    id: TicketId | None
    number: str | None
    external_source: str | None
    external_id: str | None


_ID_BY = sql.load("tickets", "ticket_id_by", row=TicketId)
_EXTERNAL_IDS = sql.load("tickets", "external_ids_of_tickets", row=ExternalId)
_DETAILS = sql.load("tickets", "details_of_tickets", row=TicketDetails)
_HANDOVER_NOTES = sql.load("tickets", "handover_notes", row=TicketNote)
_LOCK = sql.load("tickets", "lock_ticket", row=type(None))
_LOCK_TO_RESUME = sql.load("tickets", "lock_ticket_to_resume", row=TicketId)
_LOCK_TO_CLOSE = sql.load("tickets", "lock_ticket_to_close", row=TicketId)
_BY_IDS = sql.load("tickets", "tickets_by_ids", row=Ticket)
_WITH_CURRENT = sql.load("tickets", "tickets_with_current", row=TicketWithAssignment)
_WITH_HISTORY = sql.load("tickets", "tickets_with_history", row=TicketWithAssignment)
_NEWEST = sql.load("tickets", "newest_tickets", row=Ticket)
_NEWEST_OF_STATUSES = sql.load("tickets", "newest_tickets_of_statuses", row=Ticket)
_NEWEST_HELD_BY = sql.load("tickets", "newest_tickets_held_by", row=Ticket)
_NEWEST_ASSIGNED = sql.load("tickets", "newest_assigned_tickets", row=Ticket)
_NEWEST_MATCHING = sql.load("tickets", "newest_tickets_matching", row=Ticket)
_COUNT_HELD_BY = sql.load("tickets", "count_tickets_held_by", row=int)
_COUNT_ASSIGNED = sql.load("tickets", "count_assigned_tickets", row=int)
_NEWEST_OF_ENGINEER = sql.load("tickets", "newest_tickets_of_engineer", row=Ticket)
_COUNT_OF_ENGINEER = sql.load("tickets", "count_tickets_of_engineer", row=int)
_COUNT = sql.load("tickets", "count_tickets", row=int)

_OPEN = tuple(status for status in TicketStatus if status not in TERMINAL_TICKET_STATUSES)


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """All conditions that are not None must match."""

    statuses: Sequence[TicketStatus] | None = None
    priorities: Sequence[TicketPriority] | None = None
    engineer_id: EngineerId | None = None
    tier: int | None = None
    unassigned: bool | None = None
    search: str | None = None

    @property
    def is_heavy(self) -> bool:
        """Whether a page may need to read many rows: no index has these conditions in the list's order."""
        return self.search is not None or self.priorities is not None

    @property
    def requires_assignment(self) -> bool:
        """Whether only tickets with a current assignment match."""
        return self.engineer_id is not None or self.tier is not None or self.unassigned is False

    @property
    def effective_statuses(self) -> Sequence[TicketStatus] | None:
        """`unassigned` means open tickets by default: the others need no engineer."""
        if self.statuses is None:
            return _OPEN if self.unassigned else None
        return tuple(dict.fromkeys(self.statuses))  # a duplicate would return its tickets twice

    @property
    def as_parameters(self) -> tuple[object, ...]:
        """Engineer, tier, whether assigned, statuses, priorities, search pattern."""
        is_assigned = None if self.unassigned is None else not self.unassigned
        return (
            self.engineer_id,
            self.tier,
            is_assigned,
            self.effective_statuses,
            self.priorities,
            self.pattern,
        )

    @property
    def pattern(self) -> str | None:
        return like(self.search)


def like(search: str | None) -> str | None:
    """Return an ILIKE pattern for texts that contain `search` literally, with one space for white space."""
    if search is None:
        return None
    escaped = " ".join(search.split()).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


async def lock(tx: Tx, ticket_id: TicketId | None, assignment_id: AssignmentId | None = None) -> None:
    """Lock the ticket, or else the ticket of the assignment, until `tx` ends."""
    await _LOCK.run(tx, ticket_id, assignment_id)


async def lock_ticket_to_resume(tx: Tx, excluded: Sequence[TicketId]) -> TicketId | None:
    """Lock a ticket with a hold that is over, until `tx` ends. None if there is none that is not locked."""
    return await _LOCK_TO_RESUME.first(tx, excluded)


async def lock_ticket_to_close(
    tx: Tx, excluded: Sequence[TicketId], close_after: timedelta
) -> TicketId | None:
    """Lock a ticket that was resolved so long ago, as above."""
    return await _LOCK_TO_CLOSE.first(tx, excluded, close_after)


async def by_ids(
    conn: Connection,
    ticket_ids: Sequence[TicketId],
    *,
    visible_to: EngineerId | None = None,
    omit: frozenset[str] = frozenset(),
) -> list[Ticket]:
    """Here and below, `visible_to` limits rows to the tickets ever assigned to that engineer; None means all.

    Columns in `omit` are not read: their fields are None.
    """
    return await _BY_IDS.all(conn, ticket_ids, visible_to, omit=omit)


async def id_by(conn: Connection, keys: TicketKeys) -> TicketId | None:
    """The id of the ticket with a key; of several with the same number, the newest."""
    return await _ID_BY.first(conn, *keys)


async def external_ids(conn: Connection, ticket_ids: Sequence[TicketId]) -> Sequence[ExternalId]:
    """Ordered by ticket, then by source."""
    return await _EXTERNAL_IDS.all(conn, ticket_ids)


async def details_of_tickets(conn: Connection, ticket_ids: Sequence[TicketId]) -> list[TicketDetails]:
    """Tickets without details have no row."""
    return await _DETAILS.all(conn, ticket_ids)


async def handover_notes(conn: Connection, ticket_ids: Sequence[TicketId]) -> Sequence[TicketNote]:
    """For each ticket, the latest notes for whoever is assigned next, oldest first; ordered by ticket."""
    return await _HANDOVER_NOTES.all(conn, ticket_ids)


async def with_current(
    conn: Connection,
    ticket_ids: Sequence[TicketId],
    *,
    visible_to: EngineerId | None = None,
    omit: frozenset[str] = frozenset(),
) -> list[TicketWithAssignment]:
    """Each ticket once, with its current assignment."""
    return await _WITH_CURRENT.all(conn, ticket_ids, visible_to, omit=omit)


async def with_history(
    conn: Connection,
    ticket_ids: Sequence[TicketId],
    *,
    visible_to: EngineerId | None = None,
    omit: frozenset[str] = frozenset(),
) -> list[TicketWithAssignment]:
    """Ordered by ticket, then by sequence."""
    return await _WITH_HISTORY.all(conn, ticket_ids, visible_to, omit=omit)


async def newest(
    conn: Connection,
    filter: TicketFilter,
    *,
    after: TicketKey | None,
    first: int,
    visible_to: EngineerId | None = None,
    omit: frozenset[str] = frozenset(),
) -> Sequence[Ticket]:
    """The first `first` tickets after the key `after`, newest first.

    The most selective condition chooses the statement, so that each uses its own index.
    """
    if filter.requires_assignment and filter.unassigned:
        return []
    at, ticket_id = after or (None, None)
    statuses = filter.effective_statuses
    unassigned = bool(filter.unassigned)
    conditions: tuple[object, ...]
    if visible_to is not None:
        query = _NEWEST_OF_ENGINEER
        conditions = (visible_to, *filter.as_parameters)
    elif filter.engineer_id is not None:
        query = _NEWEST_HELD_BY
        conditions = (statuses, filter.priorities, filter.pattern, filter.engineer_id, filter.tier)
    elif filter.requires_assignment:
        query = _NEWEST_ASSIGNED
        conditions = (statuses, filter.priorities, filter.pattern, filter.tier)
    elif filter.search is not None:
        query = _NEWEST_MATCHING
        conditions = (filter.pattern, statuses, filter.priorities, unassigned)
    elif statuses is not None:
        query = _NEWEST_OF_STATUSES
        conditions = (statuses, filter.priorities, unassigned)
    else:
        query = _NEWEST
        conditions = (filter.priorities,)
    async with _planned(conn, query):
        return await fetch_rows(query, conn, *conditions, at, ticket_id, first, omit=omit)


async def count(conn: Connection, filter: TicketFilter, *, visible_to: EngineerId | None = None) -> int:
    if filter.requires_assignment and filter.unassigned:
        return 0
    if visible_to is not None:
        return await _COUNT_OF_ENGINEER.one(conn, visible_to, *filter.as_parameters)
    conditions = (filter.effective_statuses, filter.priorities, filter.pattern)
    if filter.engineer_id is not None:
        return await _COUNT_HELD_BY.one(conn, *conditions, filter.engineer_id, filter.tier)
    if filter.requires_assignment:
        async with _planned(conn, _COUNT_ASSIGNED):
            return await _COUNT_ASSIGNED.one(conn, *conditions, filter.tier)
    async with _planned(conn, _COUNT):
        return await _COUNT.one(conn, *conditions, bool(filter.unassigned))


def _planned(conn: Connection, query: Query[Any]) -> AbstractAsyncContextManager[None]:
    """Plan for the parameter values where it depends on them which condition is most selective."""
    if query in (_NEWEST_MATCHING, _NEWEST_ASSIGNED, _COUNT, _COUNT_ASSIGNED):
        return server.planned_for_values(conn)
    return nullcontext()
