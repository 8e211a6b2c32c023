"""Assignments that nobody accepts in time; the statements are in sql/queries/overdue.sql."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from app.db import sql
from app.domain.model import EngineerId, TicketId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.db.connections import Tx


@dataclass(frozen=True, slots=True)
class Overdue:
    """`next_engineer_id` is None where there is nobody to escalate to."""

    assignment_sequence: int
    accept_within: timedelta
    next_engineer_id: EngineerId | None


_LOCK_TICKET = sql.load("overdue", "lock_overdue_ticket", row=str)
_ASSIGNMENT = sql.load("overdue", "overdue_assignment", row=Overdue)


async def lock_ticket(tx: Tx, passed_over: Sequence[TicketId]) -> TicketId | None:
    """Hold a ticket with an overdue assignment until `tx` ends; None when none is left that is free."""
    found = await _LOCK_TICKET.first(tx, passed_over)
    return None if found is None else TicketId(found)


async def assignment(tx: Tx, ticket_id: TicketId) -> Overdue | None:
    """The ticket's overdue assignment, if it still is. Call it only while holding the ticket's lock."""
    return await _ASSIGNMENT.first(tx, ticket_id)
