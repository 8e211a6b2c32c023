"""Start work on an assignment."""

from app.domain.model import AssignmentStatus, TicketStatus
from tests.factories import as_engineer


async def test_start_keeps_the_acceptance_and_starts_the_ticket(make, world):
    assigned = await make.assigned()
    accepted = await world.act("accept", assigned)
    started = await world.act("start", assigned, as_engineer(assigned.engineer_id))
    ticket = await world.ticket(assigned.ticket_id)
    assert (started.status, started.accepted_at) == (AssignmentStatus.IN_PROGRESS, accepted.accepted_at)
    assert (ticket.status, ticket.started_at) == (TicketStatus.IN_PROGRESS, started.started_at)
    assert (await world.events(assigned.ticket_id))[-1][0] == "started"


async def test_start_accepts_the_assignment(make, world):
    started = await world.act("start", await make.assigned())
    assert started.accepted_at == started.started_at is not None
