"""Commands of the new application on the tickets of a legacy database."""

from decimal import Decimal

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.cancel import CancelAssignment, cancel_assignment
from app.commands.complete import CompleteAssignment, complete_assignment
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.rate import RateAssignment, rate_assignment
from app.commands.run import run
from app.commands.start import StartAssignment, start_assignment
from app.db.pool import open_database
from app.domain.model import CompletionStatus, TicketId
from app.queries import assignments
from tests.factories import DISPATCHER
from tests.migrations.conftest import LegacyDatabase
from tests.migrations.shapes import ANA, BO


async def run_commands(legacy: LegacyDatabase) -> dict[TicketId, tuple[str | None, int | None]]:
    """Change several tickets; returns the engineer and tier that their old columns must have afterwards."""
    new, in_progress = legacy.tickets["never assigned"], legacy.tickets["a ticket in progress"]
    on_hold, unknown = legacy.tickets["on hold"], legacy.tickets["an engineer that is not a uuid"]
    resolved = legacy.tickets["resolved, with a completed row"]

    async with open_database(legacy.url, pool_size=2) as db:

        async def do(decide, command):
            return await run(db, DISPATCHER, decide, command)

        first = await do(assign_ticket, AssignTicket(ticket_id=new, engineer_id=ANA, reason="nearest"))
        await do(start_assignment, StartAssignment(assignment_id=first.id))
        escalate = EscalateTicket(ticket_id=new, next_engineer_id=BO, reason="cold head")
        second = await do(escalate_ticket, escalate)
        await do(start_assignment, StartAssignment(assignment_id=second.id))
        complete = CompleteAssignment(
            assignment_id=second.id,
            completion_status=CompletionStatus.SUCCESS,
            time_spent_hours=Decimal("3.75"),
            notes="as new",
        )
        await do(complete_assignment, complete)
        escalate = EscalateTicket(ticket_id=in_progress, next_engineer_id=BO, next_tier=4, reason="stuck")
        await do(escalate_ticket, escalate)
        async with db.connection() as conn:
            [current] = await assignments.current_of_tickets(conn, [on_hold])
            [ended] = await assignments.history_of_tickets(conn, [resolved])
        await do(cancel_assignment, CancelAssignment(assignment_id=current.id, reason="mix-up"))
        await do(assign_ticket, AssignTicket(ticket_id=unknown, engineer_id=BO, tier=3))
        await do(rate_assignment, RateAssignment(assignment_id=ended.id, rating=4, feedback="friendly"))
    return {
        new: (str(BO), 2),
        in_progress: (str(BO), 4),
        on_hold: (None, None),
        unknown: (str(BO), 3),
        resolved: (str(ANA), 2),
    }
