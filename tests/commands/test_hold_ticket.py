from datetime import timedelta

import pytest

from app.commands.hold_ticket import MAX_HOLD, HoldTicket, hold_ticket
from app.domain.errors import InvalidInput, TicketTransitionNotAllowed
from app.domain.model import TicketStatus
from app.jobs.ticket_deadlines import resume_held
from tests.factories import DISPATCHER


async def test_a_current_assignment_stays(make, world):
    assigned = await make.assigned()
    ticket = await world.act("hold_ticket", assigned, reason="Waiting for parts")
    assert ticket.status is TicketStatus.ON_HOLD
    assert await world.history(ticket.id) == [assigned]
    details = await world.details(ticket.id)
    assert (details.hold_reason, details.held_by, details.hold_until) == (
        "Waiting for parts",
        DISPATCHER.subject,
        None,
    )
    assert details.held_at is not None
    assert details.waiting_since is None
    event = await world.last_event(ticket.id)
    assert (event.type, event.assignment, event.source) == ("ticket_held", None, "person")
    assert event.details == {"reason": "Waiting for parts", "until": None}
    assert event.changes["status"] == ["assigned", "on_hold"]
    assert event.ticket_version == details.version


async def test_a_ticket_without_an_engineer_still_waits(make, world):
    ticket_id = await make.ticket()
    await world.run(hold_ticket, HoldTicket(ticket_id=ticket_id, reason="x"))
    assert (await world.details(ticket_id)).waiting_since is not None


@pytest.mark.parametrize("status", ["on_hold", "resolved", "closed", "cancelled"])
async def test_status_must_allow_it(make, world, status):
    command = HoldTicket(ticket_id=await make.ticket(status=status), reason="x")
    with pytest.raises(TicketTransitionNotAllowed) as raised:
        await world.run(hold_ticket, command)
    assert (raised.value.ticket.status, raised.value.action) == (status, "hold_ticket")


async def test_the_end_is_bounded(make, world):
    ticket_id = await make.ticket()
    now = (await world.ticket(ticket_id)).created_at
    for until in (now - timedelta(days=1), now + MAX_HOLD + timedelta(hours=1)):
        with pytest.raises(InvalidInput, match="until must be after now"):
            await world.run(hold_ticket, HoldTicket(ticket_id=ticket_id, reason="x", until=until))


async def test_the_ticket_resumes_by_itself_once(make, world, db):
    assigned = await make.assigned()
    now = (await world.ticket(assigned.ticket_id)).updated_at
    await world.act("hold_ticket", assigned, until=now + timedelta(seconds=100))
    assert await resume_held(db) == 0
    async with db.connection() as conn:
        await conn.execute("UPDATE ticket_details SET hold_until = now() - interval '1 s'")
    assert await resume_held(db) == 1
    assert await resume_held(db) == 0
    assert (await world.ticket(assigned.ticket_id)).status is TicketStatus.ASSIGNED
    event = await world.last_event(assigned.ticket_id)
    assert (event.type, event.actor, event.source) == ("ticket_resumed", "system:hold-expiry", "rule")


async def test_an_assignment_command_ends_the_hold(make, world):
    assigned = await make.assigned()
    await world.act("hold_ticket", assigned)
    await world.act("start", assigned)
    details = await world.details(assigned.ticket_id)
    assert (details.held_at, details.hold_reason) == (None, None)
    event = await world.last_event(assigned.ticket_id)
    assert event.changes["status"] == ["on_hold", "in_progress"]


async def test_a_missing_part_puts_the_ticket_on_hold(make, world):
    assigned = await make.assigned()
    await world.act("start", assigned)
    await world.act("complete", assigned, completion_status="parts_required")
    details = await world.details(assigned.ticket_id)
    assert (details.held_by, details.hold_reason) == (DISPATCHER.subject, None)
    assert details.held_at == details.waiting_since
