"""Runs a command: read, decided, written whole, while nobody else changes the ticket.

Two round trips where nobody is in the way: the situation, and the change with its COMMIT, which is made only
if the ticket is still as it was read. After a rival, and before a refusal, five: in a transaction that takes
the ticket's lock before it reads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Generic, TypeVar

import orjson

from app.commands.command import Command
from app.commands.ticket_state import Change, LockedTicket
from app.domain.errors import (
    AssignmentNotFound,
    DomainError,
    Forbidden,
    IdempotencyKeyReused,
    StaleSequence,
    TicketNotFound,
    TransitionNotAllowed,
)
from app.domain.model import UNKNOWN_ORIGIN, Actor, Origin
from app.domain.policy import MAY, Reach
from app.queries import assignments, tickets

if TYPE_CHECKING:
    from app.db.connections import Connection, Tx
    from app.db.pool import Database
    from app.domain.model import Assignment
    from app.queries.assignments import Situation

C = TypeVar("C", bound=Command)

_TAKEN_BY_A_RIVAL = (
    # By a twin of the request on another ticket; the second try finds the key taken.
    "idempotency_keys_",
    # By the old application, which may open an assignment without changing the ticket.
    "engineer_assignments_one_active",
    "engineer_assignments_sequence_once",
)


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
    refuse_by_role(actor, command)
    doing = _Doing(actor, decide, command, idempotency_key, origin)
    return await db.in_transaction(
        doing.under_lock,
        first=partial(doing.at_once, db),
        retry_on=_TAKEN_BY_A_RIVAL,
        turn=command.named_assignment or command.named_ticket,
    )


def refuse_by_role(actor: Actor, command: Command) -> None:
    """Raises Forbidden where the actor's role does no such thing at all."""
    if MAY[actor.role][command.action] is Reach.NONE:
        raise Forbidden(command.action)


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
    return await _Doing(actor, decide, command, idempotency_key, origin).under_lock(tx)


@dataclass(frozen=True, slots=True)
class _Doing(Generic[C]):
    """One command of one person."""

    actor: Actor
    decide: Callable[[C, LockedTicket], Change]
    command: C
    idempotency_key: str | None
    origin: Origin

    async def at_once(self, db: Database, conn: Connection) -> Assignment | None:
        """None, and nothing was written, where a rival was faster or the command is refused.

        A refusal takes the lock, too: a twin under the same key may be about to succeed, and what a refusal
        says of the ticket is to be true together.
        """
        try:
            return await self._do(conn, partial(db.alone, conn))
        except DomainError:
            return None

    async def under_lock(self, tx: Tx) -> Assignment:
        """What is read after the lock was had stays true: a statement sees what was committed before it."""
        await tickets.lock(tx, self.command.named_ticket, self.command.named_assignment)
        try:
            answer = await self._do(tx, lambda save: save(tx))
        except TransitionNotAllowed as refused:
            # What has ended does not say who holds the ticket now, and only who is refused wants to know.
            current = await assignments.current_of_tickets(tx, [refused.assignment.ticket_id])
            refused.current_assignment = next(iter(current), None)
            raise
        assert answer is not None  # noqa: S101 - nobody else had the ticket
        return answer

    async def _do(
        self, conn: Connection, alone: Callable[[Callable[[Tx], Awaitable[bool]]], Awaitable[bool]]
    ) -> Assignment | None:
        """None when the ticket was not as it was read by the time that `alone` let the change be written."""
        command, key = self.command, self.idempotency_key
        seen = await assignments.situation(
            conn,
            command.named_ticket,
            assignment_id=command.named_assignment,
            engineer_id=command.next_engineer,
            actor=self.actor.subject,
            idempotency_key=key,
        )
        request_hash = hash_of(command)
        if key is not None and seen.request_hash is not None:
            # A key that has set a rate has no event.
            if seen.request_hash != request_hash or seen.event_id is None:
                raise IdempotencyKeyReused(key)
            return await assignments.as_answered(conn, seen.event_id)
        change = self._decided(seen)
        saved = await alone(
            lambda tx: assignments.save_change(
                tx,
                seen,
                change.events,
                actor=self.actor.subject,
                origin=self.origin,
                details=change.details,
                ticket_status=change.ticket_status,
                idempotency_key=key,
                request_hash=request_hash,
            )
        )
        return change.answer if saved else None

    def _decided(self, seen: Situation) -> Change:
        """Raises the refusals that are the same for all commands, and those of this one."""
        command = self.command
        if seen.ticket is None:
            raise _not_found(command)
        locked = LockedTicket(
            seen.ticket, seen.assignment, seen.last_sequence, seen.engineer_is_active, self.actor, seen.now
        )
        _refuse_others_work(locked, command)
        if command.seen_sequence not in (None, seen.last_sequence):
            raise StaleSequence(seen.last_sequence, seen.assignment)
        return self.decide(command, locked)


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


def hash_of(command: Command) -> bytes:
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
