import pytest

from app.commands.resume_ticket import ResumeTicket, resume_ticket
from app.domain.errors import TicketTransitionNotAllowed
from app.domain.model import TicketStatus


@pytest.mark.parametrize(
    ("actions", "status"),
    [
        ((), TicketStatus.ASSIGNED),
        (("accept",), TicketStatus.ASSIGNED),
        (("start",), TicketStatus.IN_PROGRESS),
        (("cancel",), TicketStatus.NEW),
    ],
)
async def test_status_follows_from_the_assignment(make, world, actions, status):
    assigned = await make.assigned()
    for action in actions:
        await world.act(action, assigned)
    await world.act("hold_ticket", assigned)
    ticket = await world.act("resume_ticket", assigned, reason="Parts arrived")
    assert ticket.status is status
    details = await world.details(ticket.id)
    assert (details.hold_reason, details.held_by, details.held_at, details.hold_until) == (None,) * 4
    assert (details.waiting_since is not None) == (status is TicketStatus.NEW)
    event = await world.last_event(ticket.id)
    assert event.details == {"reason": "Parts arrived", "status": status}


async def test_status_must_allow_it(make, world):
    with pytest.raises(TicketTransitionNotAllowed):
        await world.run(resume_ticket, ResumeTicket(ticket_id=await make.ticket()))
