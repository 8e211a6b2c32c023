import pytest

from app.commands.update_ticket import UpdateTicket, update_ticket
from app.domain.errors import EquipmentNotFound, InvalidInput, TicketTransitionNotAllowed
from app.domain.model import EquipmentId, TicketPriority


async def test_only_given_fields_change(make, world):
    ticket_id = await make.ticket(customer_name="St. Anna", issue_category="Tube")
    ticket = await world.run(
        update_ticket,
        UpdateTicket(
            ticket_id=ticket_id, priority=TicketPriority.CRITICAL, issue_category=None, contact_name="Di"
        ),
    )
    assert (ticket.priority, ticket.issue_category) == (TicketPriority.CRITICAL, None)
    assert ticket.customer_name == "St. Anna"
    assert await world.ticket(ticket_id) == ticket
    details = await world.details(ticket_id)
    assert (details.version, details.contact_name) == (2, "Di")
    event = await world.last_event(ticket_id)
    assert (event.type, event.ticket_version) == ("ticket_updated", 2)
    assert event.changes == {
        "priority": ["medium", "critical"],
        "issue_category": ["Tube", None],
        "contact_name": [None, "Di"],
    }


async def test_without_a_difference_nothing_happens(make, world):
    ticket_id = await make.ticket(customer_name="St. Anna")
    before = await world.ticket(ticket_id)
    command = UpdateTicket(ticket_id=ticket_id, customer_name="St. Anna")
    assert [await world.run(update_ticket, command, key="k") for _ in range(2)] == [before] * 2
    assert await world.count_changes() == 0


async def test_equipment_follows_to_the_current_assignment_only(make, world):
    old, new = await make.equipment(), await make.equipment()
    first = await make.assigned(ticket=await make.ticket(equipment_id=old))
    await world.escalate(first)
    await world.act("update_ticket", first, equipment_id=new)
    ended, current = await world.history(first.ticket_id)
    assert (ended.equipment_id, current.equipment_id) == (old, new)
    for missing in (EquipmentId("none"),):
        with pytest.raises(EquipmentNotFound):
            await world.act("update_ticket", first, equipment_id=missing)
    assert (await world.act("update_ticket", first, equipment_id=None)).equipment_id is None


async def test_bad_input_is_refused(make, world):
    ticket_id = await make.ticket()
    for values, message in (({}, "at least one field"), ({"priority": None}, "priority must not be null")):
        with pytest.raises(InvalidInput, match=message):
            await world.run(update_ticket, UpdateTicket(ticket_id=ticket_id, **values))


@pytest.mark.parametrize("status", ["closed", "cancelled"])
async def test_an_ended_ticket_does_not_change(make, world, status):
    command = UpdateTicket(ticket_id=await make.ticket(status=status), customer_name="x")
    with pytest.raises(TicketTransitionNotAllowed):
        await world.run(update_ticket, command)
