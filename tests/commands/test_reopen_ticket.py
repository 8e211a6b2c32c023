from datetime import timedelta

import pytest

from app.commands.reopen_ticket import ReopenTicket, reopen_ticket
from app.domain.errors import ReopenWindowOver, TicketTransitionNotAllowed
from app.domain.lifecycle import TicketRules
from app.domain.model import TicketStatus

DAY = timedelta(days=1)


async def test_a_resolved_ticket_becomes_new_and_its_sequence_continues(make, world):
    assigned = await make.assigned()
    await world.complete(assigned, "1")
    ticket = await world.act("reopen_ticket", assigned, reason="Broken again")
    assert (ticket.status, ticket.resolved_at) == (TicketStatus.NEW, None)
    assert ticket.started_at is not None
    assert (await world.details(ticket.id)).waiting_since == ticket.updated_at
    event = await world.last_event(ticket.id)
    assert event.details == {"reason": "Broken again", "status_before": "resolved"}
    again = await world.act("assign", assigned, engineer_id=await make.engineer())
    assert again.assignment_sequence == 2


@pytest.mark.parametrize("end", ["close_ticket", "cancel_ticket"])
async def test_the_window_is_open_until_its_end(make, world, db, end):
    assigned = await make.assigned()
    if end == "close_ticket":
        await world.complete(assigned, "1")
    await world.act(end, assigned)
    ended_at = (await world.ticket(assigned.ticket_id)).updated_at
    command = ReopenTicket(ticket_id=assigned.ticket_id, reason="x")
    async with db.connection() as conn:
        for column, table in (("closed_at", "service_tickets"), ("cancelled_at", "ticket_details")):
            await conn.execute(f"UPDATE {table} SET {column} = {column} - interval '2 days'")
    with pytest.raises(ReopenWindowOver) as raised:
        await world.run(reopen_ticket, command, rules=TicketRules(reopen_within=DAY))
    assert raised.value.until == ended_at - DAY
    ticket = await world.run(reopen_ticket, command, rules=TicketRules(reopen_within=3 * DAY))
    details = await world.details(ticket.id)
    assert (ticket.status, ticket.closed_at, details.cancelled_at) == (TicketStatus.NEW, None, None)


async def test_an_open_ticket_is_not_reopened(make, world):
    with pytest.raises(TicketTransitionNotAllowed):
        await world.run(reopen_ticket, ReopenTicket(ticket_id=await make.ticket(), reason="x"))
