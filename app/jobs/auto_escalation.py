"""Automatic escalation of assignments not accepted within the limit of their tier (assignment_tiers).

A ticket goes to the lowest higher tier with an available engineer. Without any, the event `overdue` is
recorded once, and the first run after an engineer became available escalates the ticket.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import structlog

from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.run import run_in_transaction
from app.db.errors import Unavailable
from app.domain.events import EventSource, EventType
from app.domain.model import Actor, AssignmentType, Role, TicketId
from app.queries import assignments, overdue
from app.queries.assignments import SnapshotRequest, TicketChange

if TYPE_CHECKING:
    from app.db.connections import Tx
    from app.db.pool import Database

log = structlog.get_logger()

RULE = Actor("system:auto-escalation", Role.DISPATCHER)
_escalate_by_rule = partial(escalate_ticket, assignment_type=AssignmentType.AUTO)


async def escalate_overdue(db: Database) -> int:
    """Escalate every overdue ticket that is not locked, each in its own transaction.

    If one ticket fails, the error is logged and the others follow. Returns the number of tickets tried.
    """
    tried: list[TicketId] = []
    count = -1
    while count < len(tried):
        count = len(tried)
        try:
            outcome = await db.in_transaction(partial(_escalate_next, tried=tried))
            if outcome is not None:
                db.metrics.escalations(outcome).inc()
        except Unavailable:
            raise
        except Exception:
            if count == len(tried):
                raise
            log.exception("not_escalated", ticket_id=tried[-1])
    return len(tried)


async def _escalate_next(tx: Tx, tried: list[TicketId]) -> str | None:
    """Add a ticket to `tried`, if any is left, and escalate it. Returns the outcome, None for no change."""
    ticket_id = await overdue.lock_ticket(tx, tried)
    if ticket_id is None:
        return None
    tried.append(ticket_id)
    assignment = await overdue.assignment(tx, ticket_id)
    if assignment is None:
        return None
    reason = f"Not accepted within {assignment.accept_within}"
    if assignment.next_engineer_id is None:
        await _record_overdue(tx, ticket_id, reason)
        return "overdue"
    command = EscalateTicket(
        ticket_id=ticket_id,
        reason=reason,
        next_engineer_id=assignment.next_engineer_id,
        next_tier=assignment.next_tier,
        expected_sequence=assignment.assignment_sequence,
    )
    next_assignment = await run_in_transaction(tx, RULE, _escalate_by_rule, command)
    log.info("escalated_by_rule", ticket_id=ticket_id, sequence=next_assignment.assignment_sequence)
    return "escalated"


async def _record_overdue(tx: Tx, ticket_id: TicketId, reason: str) -> None:
    """Record the event `overdue`. The assignment waits for an engineer at a higher tier."""
    request = SnapshotRequest(ticket_id, None, None, RULE.subject, None)
    [snapshot] = await assignments.ticket_snapshots(tx, [request])
    current = snapshot.assignment
    assert current is not None  # noqa: S101 - the ticket is locked
    events = [(EventType.OVERDUE, current)]
    await assignments.save_changes(
        tx, [TicketChange(snapshot, events, RULE.subject, EventSource.RULE, event_details={"reason": reason})]
    )
    log.info("overdue", ticket_id=ticket_id, sequence=current.assignment_sequence)
