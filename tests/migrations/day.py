"""A day of work through the new application, on the tickets of an old database."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.cancel import CancelAssignment, cancel_assignment
from app.commands.complete import CompleteAssignment, complete_assignment
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.rate import RateAssignment, rate_assignment
from app.commands.run import run
from app.commands.start import StartAssignment, start_assignment
from app.domain.model import CompletionStatus
from app.queries import assignments
from tests.factories import DISPATCHER
from tests.migrations.shapes import ANA, BO

if TYPE_CHECKING:
    from app.db.pool import Database
    from app.domain.model import TicketId


async def a_day_of_work(
    db: Database, ticket: dict[str, TicketId]
) -> dict[TicketId, tuple[str | None, int | None]]:
    """By ticket that was worked on: whom and which tier the old columns must name in the evening."""
    fresh, held = ticket["nobody was ever asked"], ticket["a ticket in progress"]
    returned, unknown = ticket["on hold"], ticket["an engineer that is not a uuid"]
    rated = ticket["resolved, and the row says so"]

    async def current(ticket_id: TicketId):
        async with db.connection() as conn:
            [found] = await assignments.current_of_tickets(conn, [ticket_id])
        return found

    async def do(decide, command):
        return await run(db, DISPATCHER, decide, command)

    first = await do(assign_ticket, AssignTicket(ticket_id=fresh, engineer_id=ANA, reason="nearest"))
    await do(start_assignment, StartAssignment(assignment_id=first.id))
    second = await do(
        escalate_ticket, EscalateTicket(ticket_id=fresh, next_engineer_id=BO, reason="cold head")
    )
    await do(start_assignment, StartAssignment(assignment_id=second.id))
    done = CompleteAssignment(
        assignment_id=second.id,
        completion_status=CompletionStatus.SUCCESS,
        time_spent_hours=Decimal("3.75"),
        notes="as new",
    )
    await do(complete_assignment, done)
    await do(
        escalate_ticket, EscalateTicket(ticket_id=held, next_engineer_id=BO, next_tier=4, reason="stuck")
    )
    await do(cancel_assignment, CancelAssignment(assignment_id=(await current(returned)).id, reason="mix-up"))
    await do(assign_ticket, AssignTicket(ticket_id=unknown, engineer_id=BO, tier=3))
    async with db.connection() as conn:
        [ended] = await assignments.history_of_tickets(conn, [rated])
    await do(rate_assignment, RateAssignment(assignment_id=ended.id, rating=4, feedback="friendly"))
    return {
        fresh: (str(BO), 2),
        held: (str(BO), 4),
        returned: (None, None),
        unknown: (str(BO), 3),
        rated: (str(ANA), 2),
    }
