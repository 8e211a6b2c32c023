"""Resumes tickets when their hold is over, and closes tickets that were resolved long ago."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from app.commands.close_ticket import CloseTicket, close_ticket
from app.commands.resume_ticket import ResumeTicket, resume_ticket
from app.commands.run import run_in_transaction
from app.domain.model import Actor, Role, TicketId
from app.queries import tickets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from app.commands.ticket_command import TicketCommand
    from app.db.connections import Tx
    from app.db.pool import Database
    from app.domain.lifecycle import TicketRules

log = structlog.get_logger()

HOLD_EXPIRY = Actor("system:hold-expiry", Role.DISPATCHER)
AUTO_CLOSE = Actor("system:auto-close", Role.DISPATCHER)


async def resume_held(db: Database) -> int:
    """Resume each ticket with a hold that is over, in its own transaction. Returns their number."""
    return await _run_for_each(db, tickets.lock_ticket_to_resume, HOLD_EXPIRY, resume_ticket, ResumeTicket)


async def close_resolved(db: Database, rules: TicketRules) -> int:
    """Close each ticket that was resolved long enough ago, as above. Does nothing without that rule."""
    if rules.close_after is None:
        return 0
    lock = partial(tickets.lock_ticket_to_close, close_after=rules.close_after)
    return await _run_for_each(db, lock, AUTO_CLOSE, close_ticket, CloseTicket)


async def _run_for_each(
    db: Database,
    lock: Callable[[Tx, Sequence[TicketId]], Awaitable[TicketId | None]],
    actor: Actor,
    decide: Callable[..., Any],
    command_type: type[TicketCommand],
) -> int:
    tried: list[TicketId] = []  # also those that fail, or one of them would block the others

    async def run_for_next(tx: Tx) -> bool:
        ticket_id = await lock(tx, tried)
        if ticket_id is None:
            return False
        tried.append(ticket_id)
        await run_in_transaction(tx, actor, decide, command_type(ticket_id=ticket_id))
        log.info("ticket_deadline", ticket_id=ticket_id, action=command_type.action)
        return True

    count = 0
    while True:
        before = len(tried)
        try:
            if not await db.in_transaction(run_for_next):
                return count
            count += 1
        except Exception:
            if len(tried) == before:
                raise
            log.exception("fault", ticket_id=tried[-1])
