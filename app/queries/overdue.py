"""Assignments not accepted in time; the statements are in sql/queries/overdue.sql."""

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
    """`next_tier` and `next_engineer_id` are None if no engineer is available at any higher tier."""

    assignment_sequence: int
    accept_within: timedelta
    next_tier: int | None
    next_engineer_id: EngineerId | None


_LOCK_TICKET = sql.load("overdue", "lock_overdue_ticket", row=str)
_ASSIGNMENT = sql.load("overdue", "overdue_assignment", row=Overdue)


async def lock_ticket(tx: Tx, excluded: Sequence[TicketId]) -> TicketId | None:
    """Lock a ticket that can be escalated, or lacks the event `overdue`, until `tx` ends.

    None if there is none that is not locked.
    """
    ticket_id = await _LOCK_TICKET.first(tx, excluded)
    return None if ticket_id is None else TicketId(ticket_id)


async def assignment(tx: Tx, ticket_id: TicketId) -> Overdue | None:
    """The overdue assignment of a locked ticket; None if nothing is to be done any more."""
    return await _ASSIGNMENT.first(tx, ticket_id)
