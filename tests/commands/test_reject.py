"""Reject: the engineer declines the assignment, and the ticket needs another."""

from __future__ import annotations

import pytest

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.reject import RejectAssignment, reject_assignment
from app.commands.start import StartAssignment, start_assignment
from app.domain.errors import AssignmentNotFound, Forbidden, InvalidInput, TransitionNotAllowed
from app.domain.model import AssignmentStatus, TicketStatus
from tests.commands.world import NOTHING
from tests.factories import AUDITOR, as_engineer


@pytest.mark.parametrize("accepted_first", [False, True])
async def test_rejecting_keeps_why_and_makes_the_ticket_new(make, world, accepted_first):
    held = await make.assigned()
    if accepted_first:
        await world.run(accept_assignment, AcceptAssignment(assignment_id=held.id))
    command = RejectAssignment(assignment_id=held.id, reason="too far")
    await world.run(reject_assignment, command, as_engineer(held.engineer_id))
    [rejected] = await world.history(held.ticket_id)
    assert (rejected.status, rejected.rejection_reason) == (AssignmentStatus.REJECTED, "too far")
    assert rejected.rejected_at == rejected.updated_at
    assert rejected.completed_at is None
    assert (await world.ticket(held.ticket_id)).status is TicketStatus.NEW
    assert (await world.events(held.ticket_id))[-1][0] == "rejected"


async def test_work_that_has_begun_is_not_rejected(make, world):
    held = await make.assigned()
    await world.run(start_assignment, StartAssignment(assignment_id=held.id))
    with pytest.raises(TransitionNotAllowed, match="Cannot reject an assignment that is in_progress"):
        await world.run(reject_assignment, RejectAssignment(assignment_id=held.id, reason="x"))


async def test_only_ones_own(make, world):
    held = await make.assigned()
    for assignment, actor in (
        (held.id, as_engineer(await make.engineer())),
        (NOTHING, as_engineer(held.engineer_id)),
    ):
        with pytest.raises(AssignmentNotFound):
            await world.run(reject_assignment, RejectAssignment(assignment_id=assignment, reason="x"), actor)
    with pytest.raises(Forbidden):
        await world.run(reject_assignment, RejectAssignment(assignment_id=held.id, reason="x"), AUDITOR)


def test_a_reason_is_required():
    with pytest.raises(InvalidInput, match="reason must not be empty"):
        RejectAssignment(assignment_id=NOTHING, reason="\n")
