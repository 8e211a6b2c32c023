"""Runs a command: one transaction, the ticket locked first, decided under the lock, written whole.

Five round trips for every mutation: BEGIN, the lock, the situation, the change, COMMIT.
"""

from __future__ import annotations

from dataclasses import fields
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

import orjson

from app.commands.command import Command
from app.commands.locked_ticket import Change, LockedTicket
from app.domain.errors import (
    AssignmentNotFound,
    DomainError,
    Forbidden,
    IdempotencyKeyReused,
    StaleSequence,
    TicketNotFound,
    TransitionNotAllowed,
)
from app.domain.model import UNKNOWN_ORIGIN, Origin
from app.domain.policy import MAY, Reach
from app.queries import assignments, tickets

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.db.pool import Database, Tx
    from app.domain.model import Actor, Assignment, Ticket

C = TypeVar("C", bound=Command)


async def run(
    db: Database,
    actor: Actor,
    decide: Callable[[C, LockedTicket], Change],
    command: C,
    *,
    idempotency_key: str | None = None,
    origin: Origin = UNKNOWN_ORIGIN,
) -> Assignment:
    """Do what `decide` decides; a repeat under the same key changes nothing and answers the same.

    Raises the refusals of the command, and Unavailable.
    """
    if MAY[actor.role][command.action] is Reach.NONE:
        raise Forbidden(command.action)

    async def work(tx: Tx) -> Assignment:
        return await run_in(tx, actor, decide, command, idempotency_key=idempotency_key, origin=origin)

    # A twin of this request on another ticket may take the key first; the second try finds it taken.
    return await db.in_transaction(
        work,
        retry_on=("idempotency_keys_",),
        turn=command.named_assignment or command.named_ticket,
    )


async def run_in(
    tx: Tx,
    actor: Actor,
    decide: Callable[[C, LockedTicket], Change],
    command: C,
    *,
    idempotency_key: str | None = None,
    origin: Origin = UNKNOWN_ORIGIN,
) -> Assignment:
    """As `run`, within a transaction of the caller."""
    ticket = await _lock(tx, command)
    seen = await assignments.situation(
        tx,
        None if ticket is None else ticket.id,
        assignment_id=command.named_assignment,
        engineer_id=command.next_engineer,
        actor=actor.subject,
        idempotency_key=idempotency_key,
    )
    request_hash = _hash(command)
    if idempotency_key is not None and seen.event_id is not None:
        if seen.request_hash != request_hash:
            raise IdempotencyKeyReused(idempotency_key)
        return await assignments.as_answered(tx, seen.event_id)
    if ticket is None:
        raise _not_found(command)

    locked = LockedTicket(
        ticket, seen.assignment, seen.last_sequence, seen.engineer_is_active, actor, seen.now
    )
    _refuse_others_work(locked, command)
    if command.seen_sequence not in (None, seen.last_sequence):
        raise StaleSequence(seen.last_sequence, seen.assignment)
    try:
        change = decide(command, locked)
    except TransitionNotAllowed as refused:
        # What has ended does not say who holds the ticket now, and only who is refused wants to know.
        refused.current_assignment = next(iter(await assignments.current_of_tickets(tx, [ticket.id])), None)
        raise
    await assignments.save_change(
        tx,
        change.events,
        actor=actor.subject,
        origin=origin,
        details=change.details,
        ticket_id=ticket.id,
        ticket_status=change.ticket_status,
        now=seen.now,
        idempotency_key=idempotency_key,
        request_hash=request_hash,
    )
    return change.answer


async def _lock(tx: Tx, command: Command) -> Ticket | None:
    if command.named_assignment is not None:
        return await tickets.lock_of_assignment(tx, command.named_assignment)
    assert command.named_ticket is not None  # noqa: S101 - a command names one of the two
    return await tickets.lock(tx, command.named_ticket)


def _not_found(command: Command) -> DomainError:
    if command.named_assignment is not None:
        return AssignmentNotFound(command.named_assignment)
    assert command.named_ticket is not None  # noqa: S101 - as above
    return TicketNotFound(command.named_ticket)


def _refuse_others_work(locked: LockedTicket, command: Command) -> None:
    """Someone else's assignment and a missing one answer alike, so that ids tell nothing."""
    if MAY[locked.actor.role][command.action] is Reach.OWN and (
        locked.assignment is None or locked.assignment.engineer_id != locked.actor.engineer_id
    ):
        raise _not_found(command)


def _hash(command: Command) -> bytes:
    """The same for the same wish, whatever process or release it reaches.

    A field that says what it would say by itself is left out, so that a field that a later release adds
    changes no hash. Values are compared as checked: 1.5 hours are 1.50.
    """
    given = {
        f.name: getattr(command, f.name)
        for f in fields(command)  # type: ignore[arg-type] # every command is a dataclass
        if getattr(command, f.name) != f.default
    }
    wish = [type(command).__name__, given]
    return sha256(orjson.dumps(wish, default=str, option=orjson.OPT_SORT_KEYS)).digest()
