"""Escalates by itself what nobody accepts within the limit of its tier (table assignment_tiers)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import structlog

from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.run import run_in_transaction
from app.db.errors import Unavailable
from app.domain.lifecycle import EventType
from app.domain.model import NO_AUDIT_CONTEXT, Actor, AssignmentType, Role, TicketId
from app.queries import assignments, overdue

if TYPE_CHECKING:
    from app.db.connections import Tx
    from app.db.pool import Database

log = structlog.get_logger()

RULE = Actor("system:auto-escalation", Role.DISPATCHER)
_escalate_by_rule = partial(escalate_ticket, assignment_type=AssignmentType.AUTO)


async def escalate_overdue(db: Database) -> int:
    """Deal with every ticket that is overdue and free, each in a transaction of its own; says how many.

    A ticket that cannot be dealt with stands in no other's way.
    """
    seen: list[TicketId] = []
    found = -1
    while found < len(seen):
        found = len(seen)
        try:
            outcome = await db.in_transaction(partial(_escalate_next, seen=seen))
            if outcome is not None:
                db.metrics.escalations(outcome).inc()
        except Unavailable:
            raise
        except Exception:
            if found == len(seen):
                raise
            log.exception("not_escalated", ticket_id=seen[-1])
    return len(seen)


async def _escalate_next(tx: Tx, seen: list[TicketId]) -> str | None:
    """Add the ticket to `seen`, or nothing when none is left; says what became of it."""
    ticket_id = await overdue.lock_ticket(tx, seen)
    if ticket_id is None:
        return None
    seen.append(ticket_id)
    late = await overdue.assignment(tx, ticket_id)
    if late is None:
        return None
    reason = f"Not accepted within {late.accept_within}"
    if late.next_engineer_id is None:
        await _say_overdue(tx, ticket_id, reason)
        return "overdue"
    wish = EscalateTicket(
        ticket_id=ticket_id,
        reason=reason,
        next_engineer_id=late.next_engineer_id,
        expected_sequence=late.assignment_sequence,
    )
    opened = await run_in_transaction(tx, RULE, _escalate_by_rule, wish)
    log.info("escalated_by_rule", ticket_id=ticket_id, sequence=opened.assignment_sequence)
    return "escalated"


async def _say_overdue(tx: Tx, ticket_id: TicketId, reason: str) -> None:
    """There is nobody at a higher tier, so the assignment stays, and its history says that it is late."""
    seen = await assignments.ticket_snapshot(tx, ticket_id, actor=RULE.subject)
    current = seen.assignment
    assert current is not None  # noqa: S101 - the ticket's lock is held
    await assignments.save_change(
        tx,
        seen,
        [(EventType.OVERDUE, current)],
        actor=RULE.subject,
        audit_context=NO_AUDIT_CONTEXT,
        details={"reason": reason},
        ticket_status=None,
        idempotency_key=None,
        request_hash=b"",
    )
    log.info("overdue", ticket_id=ticket_id, sequence=current.assignment_sequence)
