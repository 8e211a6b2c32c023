"""Start: the engineer begins to work."""

from __future__ import annotations

import pytest

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.start import StartAssignment, start_assignment
from app.domain.errors import AssignmentNotFound, Forbidden, InvalidInput, TransitionNotAllowed
from app.domain.model import AssignmentStatus, TicketStatus
from tests.commands.world import NOTHING
from tests.factories import AUDITOR, as_engineer


async def test_starting_moves_the_ticket_and_stamps_its_first_start(make, world):
    held = await make.assigned()
    accepted = await world.run(accept_assignment, AcceptAssignment(assignment_id=held.id))
    started = await world.run(
        start_assignment, StartAssignment(assignment_id=held.id), as_engineer(held.engineer_id)
    )
    ticket = await world.ticket(held.ticket_id)
    assert (started.status, started.accepted_at) == (AssignmentStatus.IN_PROGRESS, accepted.accepted_at)
    assert (ticket.status, ticket.started_at) == (TicketStatus.IN_PROGRESS, started.started_at)
    assert (await world.events(held.ticket_id))[-1][0] == "started"


async def test_starting_accepts_where_nobody_had(make, world):
    held = await make.assigned()
    started = await world.run(start_assignment, StartAssignment(assignment_id=held.id))
    assert started.accepted_at == started.started_at is not None


async def test_starting_twice_is_refused(make, world):
    held = await make.assigned()
    await world.run(start_assignment, StartAssignment(assignment_id=held.id))
    with pytest.raises(TransitionNotAllowed):
        await world.run(start_assignment, StartAssignment(assignment_id=held.id))


async def test_only_ones_own(make, world):
    held = await make.assigned()
    for assignment, actor in (
        (held.id, as_engineer(await make.engineer())),
        (NOTHING, as_engineer(held.engineer_id)),
    ):
        with pytest.raises(AssignmentNotFound):
            await world.run(start_assignment, StartAssignment(assignment_id=assignment), actor)
    with pytest.raises(Forbidden):
        await world.run(start_assignment, StartAssignment(assignment_id=held.id), AUDITOR)


def test_an_id_has_one_form():
    with pytest.raises(InvalidInput, match="assignmentId must be a UUID"):
        StartAssignment(assignment_id="x")
