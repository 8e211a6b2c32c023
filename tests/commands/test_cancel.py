"""Cancel: take the ticket back from its engineer."""

from __future__ import annotations

import pytest

from app.commands.cancel import CancelAssignment, cancel_assignment
from app.commands.start import StartAssignment, start_assignment
from app.domain.errors import AssignmentNotFound, Forbidden, InvalidInput, TransitionNotAllowed
from app.domain.model import AssignmentStatus, TicketStatus
from tests.commands.world import NOTHING
from tests.factories import AUDITOR, as_engineer


@pytest.mark.parametrize("started_first", [False, True])
async def test_cancelling_leaves_the_ticket_without_an_engineer(make, world, started_first):
    held = await make.assigned()
    if started_first:
        await world.run(start_assignment, StartAssignment(assignment_id=held.id))
    cancelled = await world.run(cancel_assignment, CancelAssignment(assignment_id=held.id, reason="mix-up"))
    assert [cancelled] == await world.history(held.ticket_id)
    assert (cancelled.status, cancelled.cancellation_reason) == (AssignmentStatus.CANCELLED, "mix-up")
    assert cancelled.completed_at == cancelled.updated_at
    assert (await world.ticket(held.ticket_id)).status is TicketStatus.NEW
    assert (await world.events(held.ticket_id))[-1][0] == "cancelled"


async def test_what_has_ended_is_not_cancelled(make, world):
    held = await make.assigned()
    await world.run(cancel_assignment, CancelAssignment(assignment_id=held.id, reason="x"))
    with pytest.raises(TransitionNotAllowed, match="Cannot cancel") as refused:
        await world.run(cancel_assignment, CancelAssignment(assignment_id=held.id, reason="x"))
    assert refused.value.current_assignment is None


async def test_only_dispatchers_cancel(make, world):
    held = await make.assigned()
    for actor in (AUDITOR, as_engineer(held.engineer_id)):
        with pytest.raises(Forbidden):
            await world.run(cancel_assignment, CancelAssignment(assignment_id=held.id, reason="x"), actor)
    with pytest.raises(AssignmentNotFound):
        await world.run(cancel_assignment, CancelAssignment(assignment_id=NOTHING, reason="x"))


def test_a_reason_is_required():
    with pytest.raises(InvalidInput, match="reason must not be empty"):
        CancelAssignment(assignment_id=NOTHING, reason="")
