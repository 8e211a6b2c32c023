"""Reject an assignment: the engineer declines it, so the ticket needs another engineer."""

import pytest

from app.domain.model import AssignmentStatus, TicketStatus
from tests.factories import as_engineer


@pytest.mark.parametrize("accepted_first", [False, True])
async def test_reject_stores_the_reason_and_makes_the_ticket_new(make, world, accepted_first):
    assigned = await make.assigned()
    if accepted_first:
        await world.act("accept", assigned)
    await world.act("reject", assigned, as_engineer(assigned.engineer_id), reason="too far")
    [rejected] = await world.history(assigned.ticket_id)
    assert (rejected.status, rejected.rejection_reason) == (AssignmentStatus.REJECTED, "too far")
    assert rejected.rejected_at == rejected.updated_at
    assert rejected.completed_at is None
    assert (await world.ticket(assigned.ticket_id)).status is TicketStatus.NEW
    assert (await world.events(assigned.ticket_id))[-1][0] == "rejected"
