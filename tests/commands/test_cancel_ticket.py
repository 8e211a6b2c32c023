from decimal import Decimal

import pytest

from app.commands.cancel_ticket import CancelTicket, cancel_ticket
from app.domain.errors import InvalidInput, TicketTransitionNotAllowed
from app.domain.model import AssignmentStatus, TicketId, TicketStatus


async def test_the_current_assignment_ends_with_the_ticket(make, world):
    assigned = await make.assigned()
    ticket = await world.act("cancel_ticket", assigned, reason="Scrapped", time_spent_hours=Decimal("1.50"))
    [ended] = await world.history(ticket.id)
    assert ticket.status is TicketStatus.CANCELLED
    assert (ended.status, ended.cancellation_reason) == (AssignmentStatus.CANCELLED, "Scrapped")
    assert ended.time_spent_hours == Decimal("1.50")
    details = await world.details(ticket.id)
    assert (details.cancelled_at, details.waiting_since) == (ended.completed_at, None)
    assert await world.events(ticket.id) == [
        ("assigned", 1, "dispatcher@test"),
        ("cancelled", 1, "dispatcher@test"),
        ("ticket_cancelled", None, "dispatcher@test"),
    ]
    event = await world.last_event(ticket.id)
    assert event.changes["status"] == ["assigned", "cancelled"]


async def test_a_duplicate_refers_to_the_original(make, world):
    ticket_id, original, cancelled = [await make.ticket() for _ in range(3)]
    await world.run(cancel_ticket, CancelTicket(ticket_id=cancelled, reason="x"))

    def cancel(duplicate_of):
        return CancelTicket(ticket_id=ticket_id, reason="Twice", duplicate_of_id=duplicate_of)

    for wrong in (ticket_id, cancelled, TicketId("none")):
        with pytest.raises(InvalidInput, match="duplicateOfId must"):
            await world.run(cancel_ticket, cancel(wrong))
    await world.run(cancel_ticket, cancel(original))
    assert (await world.details(ticket_id)).duplicate_of == original


async def test_hours_need_an_assignment(make, world):
    command = CancelTicket(ticket_id=await make.ticket(), reason="x", time_spent_hours=Decimal(1))
    with pytest.raises(InvalidInput, match="timeSpentHours needs a current assignment"):
        await world.run(cancel_ticket, command)


@pytest.mark.parametrize("status", ["resolved", "closed", "cancelled"])
async def test_only_an_open_ticket_is_cancelled(make, world, status):
    with pytest.raises(TicketTransitionNotAllowed):
        await world.run(cancel_ticket, CancelTicket(ticket_id=await make.ticket(status=status), reason="x"))
