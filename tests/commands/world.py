"""What tests of commands look at: the history, the ticket and the events after a command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from app.commands.run import run
from app.db.pool import Database
from app.domain.errors import DomainError
from app.domain.model import AssignmentId, EngineerId
from app.queries import assignments, tickets
from tests.factories import DISPATCHER

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from app.domain.model import Actor, Assignment, Ticket, TicketId

NOBODY = EngineerId(UUID(int=0))
NOTHING = AssignmentId(UUID(int=0))


@dataclass(frozen=True, slots=True)
class World:
    db: Database

    async def run(
        self, decide: Any, command: Any, actor: Actor = DISPATCHER, key: str | None = None
    ) -> Assignment:
        return await run(self.db, actor, decide, command, idempotency_key=key)

    async def history(self, ticket_id: TicketId) -> list[Assignment]:
        async with self.db.connection() as conn:
            return await assignments.history_of_tickets(conn, [ticket_id])

    async def ticket(self, ticket_id: TicketId) -> Ticket:
        async with self.db.connection() as conn:
            [found] = await tickets.by_ids(conn, [ticket_id])
        return found

    async def events(self, ticket_id: TicketId) -> list[tuple[str, int, str]]:
        """Type, sequence of the assignment, and actor, in the order written."""
        async with self.db.connection() as conn:
            rows = await conn.fetch(
                "/* world.events */ SELECT type, (assignment->>'assignment_sequence')::int, actor"
                " FROM assignment_events WHERE ticket_id = $1 ORDER BY id",
                ticket_id,
            )
        return [tuple(row) for row in rows]


async def outcome(running: Awaitable[Assignment]) -> Assignment | DomainError:
    """What came back, or the refusal."""
    try:
        return await running
    except DomainError as refused:
        return refused
