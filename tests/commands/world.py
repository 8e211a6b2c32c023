"""Runs commands and reads the history, the ticket and the events after them."""

from collections.abc import Awaitable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.commands.create_ticket import CreatedTicket, CreateTicket, run_on_new_tickets
from app.commands.run import run
from app.commands.set_hourly_rate import SetHourlyRate, run_on_rates
from app.db.pool import Database
from app.domain.errors import DomainError
from app.domain.events import TicketEvent
from app.domain.model import Actor, Assignment, AssignmentId, EngineerId, Ticket, TicketDetails, TicketId
from app.queries import assignments, events, tickets
from tests.commands.samples import SAMPLES
from tests.factories import DISPATCHER, Factories

_RUNNERS = {SetHourlyRate: run_on_rates, CreateTicket: run_on_new_tickets}
NOBODY = EngineerId(UUID(int=0))
NOTHING = AssignmentId(UUID(int=0))

RAISED: set[tuple[type, type]] = set()
"""The commands run by a World and the refusals that they raised; conftest.py compares them with REFUSALS."""


@dataclass(frozen=True, slots=True)
class World:
    db: Database

    async def run(
        self, decide: Any, command: Any, actor: Actor = DISPATCHER, key: str | None = None, **options: Any
    ) -> Any:
        runner: Any = _RUNNERS.get(type(command), run)
        try:
            return await runner(self.db, actor, decide, command, idempotency_key=key, **options)
        except DomainError as refusal:
            RAISED.add((type(command), type(refusal)))
            raise

    async def act(
        self,
        action: str,
        assignment: Assignment,
        actor: Actor = DISPATCHER,
        key: str | None = None,
        **values: Any,
    ) -> Assignment:
        """Run the sample of an action on this assignment or its ticket, with other values than the sample."""
        sample = next(sample for sample in SAMPLES if sample.action == action)
        return await self.run(sample.decide, sample.on(assignment, **values), actor, key)

    async def escalate(self, assignment: Assignment, **engineer: Any) -> Assignment:
        """Escalate to a new engineer with these columns."""
        engineer_id = await Factories(self.db).engineer(**engineer)
        return await self.act("escalate", assignment, next_engineer_id=engineer_id)

    async def complete(self, assignment: Assignment, hours: str, **values: Any) -> Assignment:
        """Start and complete, with success unless the values have another outcome."""
        await self.act("start", assignment)
        return await self.act("complete", assignment, time_spent_hours=Decimal(hours), **values)

    async def history(self, ticket_id: TicketId) -> list[Assignment]:
        async with self.db.connection() as conn:
            return list(await assignments.history_of_tickets(conn, [ticket_id]))

    async def ticket(self, ticket_id: TicketId) -> Ticket:
        async with self.db.connection() as conn:
            [ticket] = await tickets.by_ids(conn, [ticket_id])
        return ticket

    async def events(self, ticket_id: TicketId) -> list[tuple[str, int, str]]:
        """Type, sequence of the assignment, and actor of each event, in the order written."""
        async with self.db.connection() as conn:
            rows = await conn.fetch(
                "/* world.events */ SELECT type, (assignment->>'assignment_sequence')::int, actor"
                " FROM ticket_events WHERE ticket_id = $1 ORDER BY id",
                ticket_id,
            )
        return [tuple(row) for row in rows]

    async def is_stored(self, result: Any) -> bool:
        """Whether the database has what a command returned."""
        match result:
            case Assignment():
                return result in await self.history(result.ticket_id)
            case CreatedTicket():
                return await self.ticket(result.ticket.id) == result.ticket
            case Ticket():
                return await self.ticket(result.id) == result
        async with self.db.connection() as conn:
            statement = "/* world.note */ SELECT text FROM ticket_notes WHERE ticket_id = $1 AND id = $2"
            return await conn.fetchval(statement, result.ticket_id, result.id) == result.text

    async def details(self, ticket_id: TicketId) -> TicketDetails:
        async with self.db.connection() as conn:
            return next(iter(await tickets.details_of_tickets(conn, [ticket_id])), TicketDetails(ticket_id))

    async def last_event(self, ticket_id: TicketId) -> TicketEvent:
        async with self.db.connection() as conn:
            return (await events.within(conn, ((0, 2**62),), limit=1000, ticket_id=ticket_id))[-1]

    async def count_changes(self) -> int:
        """Count what commands write, whichever they are: an event or a rate."""
        async with self.db.connection() as conn:
            return await conn.fetchval(
                "SELECT (SELECT count(*) FROM ticket_events) + (SELECT count(*) FROM hourly_rates)"
            )


async def outcome(running: Awaitable[Any]) -> Any:
    """Return the result, or the refusal."""
    try:
        return await running
    except DomainError as refusal:
        return refusal
