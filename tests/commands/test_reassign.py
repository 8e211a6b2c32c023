"""Reassign a ticket to another engineer at the same tier."""

from app.domain.model import AssignmentStatus, AssignmentType, TicketStatus


async def test_reassign_cancels_the_assignment_and_keeps_the_tier(make, world):
    assigned, colleague = await make.assigned(tier=3), await make.engineer("Bo Berg")
    result = await world.act("reassign", assigned, engineer_id=colleague, reason="on holiday")
    old, new = await world.history(assigned.ticket_id)
    assert (old.status, old.cancellation_reason) == (AssignmentStatus.CANCELLED, "on holiday")
    assert old.completed_at == new.assigned_at
    assert new == result
    assert (new.assignment_sequence, new.assignment_tier, new.engineer_id) == (2, 3, colleague)
    assert (new.assignment_type, new.assignment_reason) == (AssignmentType.REASSIGNMENT, "on holiday")
    assert (await world.ticket(assigned.ticket_id)).status is TicketStatus.ASSIGNED
    assert [e[0] for e in await world.events(assigned.ticket_id)] == ["assigned", "reassigned", "assigned"]
