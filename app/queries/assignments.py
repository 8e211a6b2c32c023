"""Reads and writes of engineer_assignments; the statements are in sql/queries/assignments.sql."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import orjson

from app.db import sql
from app.db.text_columns import fetch_rows
from app.domain.events import EventSource, EventType
from app.domain.model import (
    NO_AUDIT_CONTEXT,
    Assignment,
    AuditContext,
    EngineerId,
    EquipmentId,
    Ticket,
    TicketDetails,
    TicketId,
    TicketNote,
    TicketStatus,
)

if TYPE_CHECKING:
    from app.db.connections import Autocommit, Connection, Tx
    from app.domain.model import AssignmentId, AssignmentStatus

AssignmentKey: TypeAlias = "tuple[datetime, AssignmentId]"
"""Sort key of an engineer's assignments: `assigned_at` and id."""


@dataclass(frozen=True, slots=True)
class TicketSnapshot:
    """What a command decides on. `assignment` is the command's target, or the ticket's current assignment.

    The versions are the row versions (xmin): every update changes them.
    """

    now: datetime
    last_sequence: int
    last_tier: int | None
    engineer_is_active: bool | None
    equipment_exists: bool
    related_status: TicketStatus | None
    """Of another ticket that the command names; None if there is none."""
    is_visible: bool
    """Whether the actor's engineer, if any, has or had an assignment of the ticket."""
    candidate_tier: int | None
    candidate_id: EngineerId | None
    engineer_is_member: bool
    """Whether the engineer to be assigned is a member of the tier to which the command escalates."""
    request_hash: bytes | None
    event_id: int | None
    ticket_version: int | None
    assignment_version: int | None
    ticket: Ticket | None
    details: TicketDetails | None
    assignment: Assignment | None


class SnapshotRequest(NamedTuple):
    """What a command decides on: a ticket, or one of its assignments, with what else it depends on."""

    ticket_id: TicketId | None
    assignment_id: AssignmentId | None
    engineer_id: EngineerId | None
    actor: str
    idempotency_key: str | None
    equipment_id: EquipmentId | None = None
    related_ticket_id: TicketId | None = None
    actor_engineer_id: EngineerId | None = None
    minimum_tier: int | None = None
    """Read the engineer that the rule of escalation chooses, at this tier or above; 0: above the current."""


@dataclass(frozen=True, slots=True)
class TicketChange:
    """What a command writes. `snapshot` has a ticket.

    `events` are the assignments after the change, by sequence, and then the event of the ticket, without one.
    `ticket_values` are new values of columns of the ticket; None if it does not change. `ticket_details` are
    its details if they change.
    """

    snapshot: TicketSnapshot
    events: Sequence[tuple[EventType, Assignment | None]]
    actor: str
    source: EventSource
    audit_context: AuditContext = NO_AUDIT_CONTEXT
    event_details: Mapping[str, object] | None = None
    ticket_values: Mapping[str, object] | None = None
    ticket_details: TicketDetails | None = None
    ticket_changes: Mapping[str, object] | None = None
    """The columns that change, each with its values before and after."""
    version: int | None = None
    """Of the ticket after the change."""
    note: TicketNote | None = None
    unrecorded: Sequence[Assignment] = ()
    """Assignments that change without an event."""
    result: Assignment | Ticket | TicketNote | None = None
    """What the client gets."""
    idempotency_key: str | None = None
    request_hash: bytes = b""

    @property
    def ticket_id(self) -> TicketId:
        assert self.snapshot.ticket is not None  # noqa: S101 - see above
        return self.snapshot.ticket.id


@dataclass(frozen=True, slots=True)
class EngineerCount:
    engineer_id: EngineerId
    assignments: int


_BY_IDS = sql.load("assignments", "assignments_by_ids", row=Assignment)
_CURRENT = sql.load("assignments", "current_of_tickets", row=Assignment)
_HISTORY = sql.load("assignments", "history_of_tickets", row=Assignment)
_NEWEST_OF_ENGINEERS = sql.load("assignments", "newest_of_engineers", row=Assignment)
_COUNT_OF_ENGINEERS = sql.load("assignments", "count_of_engineers", row=EngineerCount)
_COUNT_ACTIVE = sql.load("assignments", "count_active_of_engineers", row=EngineerCount)
_SNAPSHOTS = sql.load("assignments", "ticket_snapshots", row=TicketSnapshot)
_SAVE = sql.load("assignments", "save_changes", row=TicketId)


async def by_ids(
    conn: Connection,
    assignment_ids: Sequence[AssignmentId],
    *,
    visible_to: EngineerId | None = None,
    omit: frozenset[str] = frozenset(),
) -> list[Assignment]:
    """Here and below, `visible_to` limits rows to the tickets ever assigned to that engineer; None means all.

    Columns in `omit` are not read: their fields are None.
    """
    return await _BY_IDS.all(conn, assignment_ids, visible_to, omit=omit)


async def current_of_tickets(
    conn: Connection, ticket_ids: Sequence[TicketId], *, omit: frozenset[str] = frozenset()
) -> list[Assignment]:
    return await _CURRENT.all(conn, ticket_ids, omit=omit)


async def history_of_tickets(
    conn: Connection, ticket_ids: Sequence[TicketId], *, omit: frozenset[str] = frozenset()
) -> Sequence[Assignment]:
    """Ordered by ticket, then by sequence."""
    return await fetch_rows(_HISTORY, conn, ticket_ids, omit=omit)


async def newest_of_engineers(
    conn: Connection,
    engineer_ids: Sequence[EngineerId],
    statuses: Sequence[AssignmentStatus] | None,
    after: AssignmentKey | None,
    first: int,
    *,
    visible_to: EngineerId | None = None,
    omit: frozenset[str] = frozenset(),
) -> list[Assignment]:
    """For each engineer, the first `first` assignments after the key `after`, newest first."""
    at, assignment_id = after or (None, None)
    return await _NEWEST_OF_ENGINEERS.all(
        conn, engineer_ids, visible_to, statuses, at, assignment_id, first, omit=omit
    )


async def count_of_engineers(
    conn: Connection,
    engineer_ids: Sequence[EngineerId],
    statuses: Sequence[AssignmentStatus] | None,
    *,
    visible_to: EngineerId | None = None,
) -> list[EngineerCount]:
    return await _COUNT_OF_ENGINEERS.all(conn, engineer_ids, visible_to, statuses)


async def count_active_of_engineers(
    conn: Connection, engineer_ids: Sequence[EngineerId], *, visible_to: EngineerId | None = None
) -> list[EngineerCount]:
    return await _COUNT_ACTIVE.all(conn, engineer_ids, visible_to)


async def ticket_snapshots(conn: Connection, requests: Sequence[SnapshotRequest]) -> list[TicketSnapshot]:
    """Read a snapshot for each request. Unless the caller holds its lock, a ticket may change at any time."""
    return await _SNAPSHOTS.all(conn, *zip(*(map(_text, request) for request in requests), strict=True))


async def save_changes(conn: Tx | Autocommit, changes: Sequence[TicketChange]) -> set[TicketId]:
    """Write changes of different tickets, in one statement. Returns the ids of the tickets written.

    Nothing is written for a ticket that is locked, or that has changed since its snapshot.
    """
    rows = [map(_text, _ticket_row(change)) for change in changes]
    events = [
        (str(assignment.id), event, _changes_of_event(change, index))
        for change in changes
        for index, (event, assignment) in enumerate(change.events)
        if assignment is not None
    ]
    assignments = [
        _without_unchanged_parts(assignment, change.snapshot.assignment)
        for change in changes
        for assignment in (*(assignment for _, assignment in change.events), *change.unrecorded)
        if assignment is not None
    ]
    details = [change.ticket_details for change in changes if change.ticket_details is not None]
    notes = [change.note for change in changes if change.note is not None]
    event_columns: list[list[str | None]] = [[row[n] for row in events] for n in range(3)]
    return set(
        await _SAVE.all(
            conn, *zip(*rows, strict=True), _json(assignments), *event_columns, _json(details), _json(notes)
        )
    )


def _changes_of_event(change: TicketChange, index: int) -> str | None:
    """The changes of the ticket, as JSON, if this event is the last of the change."""
    is_last = index == len(change.events) - 1
    return _json(change.ticket_changes) if is_last and change.ticket_changes else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _ticket_row(change: TicketChange) -> tuple[object, ...]:
    """Return the first parameters of save_changes, in order."""
    snapshot, context = change.snapshot, change.audit_context
    type_of_ticket_event = change.events[-1][0] if change.events[-1][1] is None else None
    return (
        change.ticket_id,
        snapshot.ticket_version,
        None if snapshot.assignment is None else snapshot.assignment.id,
        snapshot.assignment_version,
        snapshot.now,
        change.actor,
        change.idempotency_key,
        change.request_hash.hex(),
        context.request_id,
        context.token_id,
        None if change.event_details is None else _json(change.event_details),
        None if change.ticket_values is None else _json(change.ticket_values),
        type_of_ticket_event,
        None if type_of_ticket_event is None else _changes_of_event(change, len(change.events) - 1),
        change.version,
        change.source,
    )


def _without_unchanged_parts(assignment: Assignment, before: Assignment | None) -> Assignment:
    """The stored JSON may be more than what was read of it: null keeps it."""
    if before is None or assignment.id != before.id or assignment.parts_used is not before.parts_used:
        return assignment
    return replace(assignment, parts_used=None)  # type: ignore[arg-type] # see above


def _json(value: object) -> str:
    return orjson.dumps(value, default=str).decode()
