"""Cancel an assignment, so that the ticket needs an engineer again."""

import pytest

from app.commands.cancel import CancelAssignment, cancel_assignment
from app.domain.errors import TransitionNotAllowed
from app.domain.model import AssignmentStatus, TicketStatus


@pytest.mark.parametrize("started_first", [False, True])
async def test_cancel_makes_the_ticket_new(make, world, started_first):
    assigned = await make.assigned()
    if started_first:
        await world.start(assigned)
    cancelled = await world.run(
        cancel_assignment, CancelAssignment(assignment_id=assigned.id, reason="mix-up")
    )
    assert [cancelled] == await world.history(assigned.ticket_id)
    assert (cancelled.status, cancelled.cancellation_reason) == (AssignmentStatus.CANCELLED, "mix-up")
    assert cancelled.completed_at == cancelled.updated_at
    assert (await world.ticket(assigned.ticket_id)).status is TicketStatus.NEW
    assert (await world.events(assigned.ticket_id))[-1][0] == "cancelled"


async def test_cancel_twice_is_refused(make, world):
    command = CancelAssignment(assignment_id=(await make.assigned()).id, reason="x")
    await world.run(cancel_assignment, command)
    with pytest.raises(TransitionNotAllowed, match="Cannot cancel") as refused:
        await world.run(cancel_assignment, command)
    assert refused.value.current_assignment is None
