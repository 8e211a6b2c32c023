from datetime import timedelta

import pytest

from app.commands.close_ticket import CloseTicket, close_ticket
from app.domain.errors import TicketTransitionNotAllowed
from app.domain.lifecycle import TicketRules
from app.domain.model import TicketStatus
from app.jobs.ticket_deadlines import close_resolved


async def test_a_resolved_ticket_is_closed(make, world):
    assigned = await make.assigned()
    await world.complete(assigned, "1")
    ticket = await world.act("close_ticket", assigned, reason="Paid")
    assert ticket.status is TicketStatus.CLOSED
    event = await world.last_event(ticket.id)
    assert (event.recorded_at, event.details) == (ticket.closed_at, {"reason": "Paid"})


@pytest.mark.parametrize("status", ["new", "assigned", "in_progress", "on_hold", "closed", "cancelled"])
async def test_only_a_resolved_ticket_is_closed(make, world, status):
    with pytest.raises(TicketTransitionNotAllowed):
        await world.run(close_ticket, CloseTicket(ticket_id=await make.ticket(status=status)))


async def test_tickets_are_closed_by_themselves_if_that_is_set(make, world, db):
    old, recent = [(await make.assigned()) for _ in range(2)]
    for assigned in (old, recent):
        await world.complete(assigned, "1")
    async with db.connection() as conn:
        await conn.execute(
            "UPDATE service_tickets SET resolved_at = now() - interval '8 days' WHERE id = $1", old.ticket_id
        )
    assert await close_resolved(db, TicketRules()) == 0
    assert await close_resolved(db, TicketRules(close_after=timedelta(days=7))) == 1
    assert (await world.ticket(old.ticket_id)).status is TicketStatus.CLOSED
    assert (await world.ticket(recent.ticket_id)).status is TicketStatus.RESOLVED
    event = await world.last_event(old.ticket_id)
    assert (event.type, event.actor, event.source) == ("ticket_closed", "system:auto-close", "rule")
