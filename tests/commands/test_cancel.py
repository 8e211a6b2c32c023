"""Cancel an assignment, so that the ticket needs an engineer again."""

import pytest

from app.domain.model import AssignmentStatus, TicketStatus


@pytest.mark.parametrize("started_first", [False, True])
async def test_cancel_makes_the_ticket_new(make, world, started_first):
    assigned = await make.assigned()
    if started_first:
        await world.act("start", assigned)
    cancelled = await world.act("cancel", assigned, reason="mix-up")
    assert [cancelled] == await world.history(assigned.ticket_id)
    assert (cancelled.status, cancelled.cancellation_reason) == (AssignmentStatus.CANCELLED, "mix-up")
    assert cancelled.completed_at == cancelled.updated_at
    assert (await world.ticket(assigned.ticket_id)).status is TicketStatus.NEW
    assert (await world.events(assigned.ticket_id))[-1][0] == "cancelled"
