"""Creates tickets; the statements are in sql/queries/new_tickets.sql."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import orjson

from app.db import sql
from app.domain.events import EventSource
from app.domain.model import AuditContext, EquipmentId, Ticket, TicketDetails, TicketId, TicketStatus

if TYPE_CHECKING:
    from app.db.connections import Autocommit, Connection, Tx


class NewTicketRequest(NamedTuple):
    """What the creation of a ticket refers to."""

    actor: str
    idempotency_key: str | None
    external_source: str | None
    external_id: str | None
    equipment_id: EquipmentId | None
    follow_up_of: TicketId | None
    ticket_number: str | None


@dataclass(frozen=True, slots=True)
class NewTicketSnapshot:
    """What the creation of a ticket depends on. None means that there is none."""

    now: datetime
    request_hash: bytes | None
    ticket_of_key: TicketId | None
    ticket_with_external_id: TicketId | None
    ticket_with_number: TicketId | None
    equipment_exists: bool
    followed_status: TicketStatus | None


@dataclass(frozen=True, slots=True)
class NewTicket:
    """`changes` are its columns with their values before and after. Without a number, it gets the next."""

    ticket: Ticket
    details: TicketDetails
    changes: Mapping[str, object]
    external_id: tuple[str, str] | None
    """Source, and id."""
    actor: str
    source: EventSource
    audit_context: AuditContext


_SNAPSHOT = sql.load("new_tickets", "new_ticket_snapshot", row=NewTicketSnapshot)
_INSERT = sql.load("new_tickets", "insert_ticket", row=str)


async def snapshot(conn: Connection, request: NewTicketRequest) -> NewTicketSnapshot:
    return await _SNAPSHOT.one(conn, *request)


async def insert(
    conn: Tx | Autocommit, new: NewTicket, *, idempotency_key: str | None, request_hash: bytes
) -> str | None:
    """Insert the ticket and return its number; None, with nothing written, if that belongs to another."""
    source, external_id = new.external_id or (None, None)
    return await _INSERT.first(
        conn,
        _json(new.ticket),
        _json(new.details),
        new.ticket.ticket_number or None,
        _json(new.changes),
        source,
        external_id,
        new.actor,
        new.source,
        new.audit_context.request_id,
        new.audit_context.token_id,
        idempotency_key,
        request_hash,
    )


def _json(value: object) -> str:
    return orjson.dumps(value, default=str).decode()
