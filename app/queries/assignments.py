"""Reads and writes of engineer_assignments; the statements are in sql/queries/assignments.sql."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import orjson

from app.db import sql
from app.db.text_columns import fetch_rows
from app.domain.lifecycle import EventType
from app.domain.model import (
    NO_AUDIT_CONTEXT,
    Assignment,
    AuditContext,
    EngineerId,
    Ticket,
    TicketId,
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
    engineer_is_active: bool | None
    request_hash: bytes | None
    event_id: int | None
    ticket_version: int | None
    assignment_version: int | None
    ticket: Ticket | None
    assignment: Assignment | None


class SnapshotRequest(NamedTuple):
    """What a command decides on: a ticket, or one of its assignments, with what else it depends on."""

    ticket_id: TicketId | None
    assignment_id: AssignmentId | None
    engineer_id: EngineerId | None
    actor: str
    idempotency_key: str | None


@dataclass(frozen=True, slots=True)
class TicketChange:
    """What a command writes. `snapshot` has a ticket.

    `events` are the assignments after the change, by sequence. None as `ticket_status` keeps the status.
    """

    snapshot: TicketSnapshot
    events: Sequence[tuple[EventType, Assignment]]
    actor: str
    audit_context: AuditContext = NO_AUDIT_CONTEXT
    details: Mapping[str, object] | None = None
    ticket_status: TicketStatus | None = None
    idempotency_key: str | None = None
    request_hash: bytes = b""

    @property
    def ticket_id(self) -> TicketId:
        assert self.snapshot.ticket is not None  # noqa: S101 - see above
        return self.snapshot.ticket.id

    @property
    def result(self) -> Assignment:
        """The assignment returned to the client: the new one, or the changed one if none is new."""
        return self.events[-1][1]


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
_OF_EVENT = sql.load("assignments", "assignment_of_event", row=Assignment)


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
    assignments = [
        (event, _without_unchanged_parts(assignment, change.snapshot.assignment))
        for change in changes
        for event, assignment in change.events
    ]
    return set(
        await _SAVE.all(
            conn,
            *zip(*rows, strict=True),
            _json([assignment for _, assignment in assignments]),
            [str(assignment.id) for _, assignment in assignments],
            [event for event, _ in assignments],
        )
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _ticket_row(change: TicketChange) -> tuple[object, ...]:
    """Return the first parameters of save_changes, in order."""
    snapshot, context = change.snapshot, change.audit_context
    return (
        change.ticket_id,
        snapshot.ticket_version,
        change.ticket_status,
        None if snapshot.assignment is None else snapshot.assignment.id,
        snapshot.assignment_version,
        snapshot.now,
        change.actor,
        change.idempotency_key,
        change.request_hash.hex(),
        context.request_id,
        context.token_id,
        None if change.details is None else _json(change.details),
    )


def _without_unchanged_parts(assignment: Assignment, before: Assignment | None) -> Assignment:
    """The stored JSON may be more than what was read of it: null keeps it."""
    if before is None or assignment.id != before.id or assignment.parts_used is not before.parts_used:
        return assignment
    return replace(assignment, parts_used=None)  # type: ignore[arg-type] # see above


def _json(value: object) -> str:
    return orjson.dumps(value, default=str).decode()


async def of_event(conn: Connection, event_id: int) -> Assignment | None:
    """The assignment that the event is about, as it is now."""
    return await _OF_EVENT.first(conn, event_id)
