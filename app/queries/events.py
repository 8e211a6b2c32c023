"""Reads of ticket_events; the statements are in sql/queries/events.sql."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from app.db import sql
from app.db.errors import UNREADABLE_ROW_ERRORS
from app.domain.declarations import api_field, row_dataclass
from app.domain.events import EventType, TicketEvent, TicketField
from app.domain.model import Assignment, EngineerId, TicketId, TicketNote
from app.domain.period import Period

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.db.connections import Connection
    from app.domain.cursor import Ranges


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


@dataclass(frozen=True, slots=True)
class VersionChanges:
    """The columns of the ticket that a version changed."""

    ticket_version: int
    columns: tuple[str, ...]


class EventSelection(NamedTuple):
    """The first `first` events of a ticket after the event `after`, of these types, or of all."""

    types: tuple[EventType, ...] | None
    newest_first: bool
    after: int | None
    first: int


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """All conditions that are not None must match."""

    period: Period
    actor: str | None = None
    ticket_id: TicketId | None = None
    engineer_id: EngineerId | None = None
    types: tuple[EventType, ...] | None = None

    @property
    def as_parameters(self) -> tuple[object, ...]:
        return (
            self.period.start,
            self.period.until,
            self.actor,
            self.ticket_id,
            self.engineer_id,
            self.types,
        )


@row_dataclass
class AuditRecord:
    """An event, with the request and the token that caused it."""

    request_id: str | None = api_field("Id of the request; null for rules and other applications.")
    token_id: str | None = api_field("Id of the token; null if it has none.")
    event: TicketEvent


@dataclass(frozen=True, slots=True)
class EventCount:
    ticket_id: TicketId
    events: int


_AUDIT = sql.load("events", "audit_records", row=AuditRecord)
_COUNT_AUDIT = sql.load("events", "count_audit_records", row=int)
_OLDEST = sql.load("events", "oldest_of_tickets", row=TicketEvent)
_NEWEST = sql.load("events", "newest_of_tickets", row=TicketEvent)
_COUNT = sql.load("events", "count_of_tickets", row=EventCount)
_WITHIN = sql.load("events", "events_in_ranges", row=TicketEvent)
_IDS_WITHIN = sql.load("events", "event_ids_in_ranges", row=int)
_ID_BOUNDS = sql.load("events", "event_id_bounds", row=EventIdBounds)
_NEXT_TRANSACTION = sql.load("events", "next_transaction_id", row=int)
_OLDEST_TRANSACTION = sql.load("events", "oldest_running_transaction_id", row=int)
_NOTE = sql.load("events", "note_of_event", row=TicketNote)
_CHANGES = sql.load("events", "changes_since_version", row=VersionChanges)
_ASSIGNMENT = sql.load("events", "assignment_of_event", row=Assignment)


async def within(
    conn: Connection,
    ranges: Ranges,
    *,
    limit: int,
    ticket_id: TicketId | None = None,
    engineer_id: EngineerId | None = None,
    visible_to: EngineerId | None = None,
    types: Sequence[EventType] | None = None,
) -> list[TicketEvent | UnreadableEvent]:
    """The first `limit` events in `ranges` by id that meet all conditions other than None."""
    firsts, lasts = [first for first, _ in ranges], [last for _, last in ranges]
    parameters = firsts, lasts, ticket_id, engineer_id, visible_to, types, limit
    try:
        return list(await _WITHIN.all(conn, *parameters))
    except UNREADABLE_ROW_ERRORS:
        ids = await _IDS_WITHIN.all(conn, *parameters)
        return [event for event_id in ids for event in await _by_id(conn, event_id)]


async def _by_id(conn: Connection, event_id: int) -> list[TicketEvent] | list[UnreadableEvent]:
    try:
        return await _WITHIN.all(conn, [event_id], [event_id], None, None, None, None, 1)
    except UNREADABLE_ROW_ERRORS as error:
        return [UnreadableEvent(event_id, error)]


async def event_id_bounds(conn: Connection) -> EventIdBounds:
    return await _ID_BOUNDS.one(conn)


async def next_transaction_id(conn: Connection) -> int:
    return await _NEXT_TRANSACTION.one(conn)


async def oldest_running_transaction_id(conn: Connection) -> int:
    return await _OLDEST_TRANSACTION.one(conn)


async def assignment_of_event(conn: Connection, event_id: int) -> Assignment | None:
    """The assignment that the event is about, as it is now."""
    return await _ASSIGNMENT.first(conn, event_id)


async def note_of_event(conn: Connection, event_id: int) -> TicketNote | None:
    """The note that the event added; None if it added none."""
    return await _NOTE.first(conn, event_id)


async def changed_fields(
    conn: Connection, ticket_id: TicketId, since: int, current: int
) -> tuple[TicketField, ...] | None:
    """The fields that changed after version `since`; None if not all events of these versions are kept."""
    changes = await _CHANGES.all(conn, ticket_id, since)
    if {change.ticket_version for change in changes} != set(range(since + 1, current + 1)):
        return None
    columns = {column for change in changes for column in change.columns}
    return tuple(field for field in TicketField if field in columns)


async def of_tickets(
    conn: Connection,
    ticket_ids: Sequence[TicketId],
    selection: EventSelection,
) -> list[TicketEvent]:
    """Ordered by ticket, then as selected."""
    query = _NEWEST if selection.newest_first else _OLDEST
    return await query.all(conn, ticket_ids, selection.types, selection.after, selection.first)


async def count_of_tickets(
    conn: Connection, ticket_ids: Sequence[TicketId], types: Sequence[EventType] | None
) -> list[EventCount]:
    return await _COUNT.all(conn, ticket_ids, types)


async def audit_records(
    conn: Connection, filter: AuditFilter, *, before: int | None, first: int
) -> list[AuditRecord]:
    """The first `first` events with an id below `before`, latest first."""
    return await _AUDIT.all(conn, *filter.as_parameters, before, first)


async def count_audit_records(conn: Connection, filter: AuditFilter) -> int:
    return await _COUNT_AUDIT.one(conn, *filter.as_parameters)
