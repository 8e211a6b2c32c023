"""Reads and writes of engineer_assignments; the statements are in sql/queries/assignments.sql."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

import orjson

from app.db import sql
from app.domain.model import Assignment, EngineerId, Ticket

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.db.connections import Autocommit, Connection, Tx
    from app.domain.lifecycle import EventType
    from app.domain.model import AssignmentId, AssignmentStatus, AuditContext, TicketId, TicketStatus

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
_SNAPSHOT = sql.load("assignments", "ticket_snapshot", row=TicketSnapshot)
_SAVE = sql.load("assignments", "save_change", row=bool)
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
) -> list[Assignment]:
    """Ordered by ticket, then by sequence."""
    return await _HISTORY.all(conn, ticket_ids, omit=omit)


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


async def ticket_snapshot(
    conn: Connection,
    ticket_id: TicketId | None,
    *,
    actor: str,
    assignment_id: AssignmentId | None = None,
    engineer_id: EngineerId | None = None,
    idempotency_key: str | None = None,
) -> TicketSnapshot:
    """Read the ticket. Unless the caller holds its lock, it may change at any time."""
    return await _SNAPSHOT.one(conn, ticket_id, assignment_id, engineer_id, actor, idempotency_key)


async def save_change(
    conn: Tx | Autocommit,
    snapshot: TicketSnapshot,
    events: Sequence[tuple[EventType, Assignment]],
    *,
    actor: str,
    audit_context: AuditContext,
    details: Mapping[str, object] | None,
    ticket_status: TicketStatus | None,
    idempotency_key: str | None,
    request_hash: bytes,
) -> bool:
    """Write the assignments of `events`, ordered by sequence. None keeps the ticket's status.

    Returns False, with nothing written, if the ticket has changed since `snapshot`, which must have one.
    """
    assert snapshot.ticket is not None  # noqa: S101 - see above
    return await _SAVE.one(
        conn,
        _json([_without_unchanged_parts(assignment, snapshot.assignment) for _, assignment in events]),
        [event for event, _ in events],
        actor,
        snapshot.ticket.id,
        ticket_status,
        snapshot.now,
        idempotency_key,
        request_hash,
        audit_context.request_id,
        audit_context.token_id,
        None if details is None else _json(details),
        snapshot.ticket_version,
        None if snapshot.assignment is None else snapshot.assignment.id,
        snapshot.assignment_version,
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
