import asyncio

import pytest

from app.commands.create_ticket import CreateTicket, create_ticket
from app.domain.errors import AlreadyInUse, EquipmentNotFound, InvalidInput
from app.domain.model import EquipmentId, TicketPriority, TicketStatus
from tests.commands.world import outcome


async def test_a_ticket_has_what_was_given_and_waits(make, world):
    followed, equipment = await make.ticket(status="closed"), await make.equipment()
    command = CreateTicket(
        priority=TicketPriority.HIGH,
        customer_name=" St. Anna ",
        equipment_id=equipment,
        contact_name="Di",
        follow_up_of_id=followed,
    )
    result = await world.run(create_ticket, command)
    assert result.created
    ticket = await world.ticket(result.ticket.id)
    assert ticket == result.ticket
    assert (ticket.status, ticket.priority, ticket.customer_name) == (
        TicketStatus.NEW,
        TicketPriority.HIGH,
        "St. Anna",
    )
    details = await world.details(ticket.id)
    assert (details.version, details.contact_name, details.follow_up_of) == (1, "Di", followed)
    assert details.waiting_since == ticket.created_at
    event = await world.last_event(ticket.id)
    assert (event.type, event.source, event.ticket_version) == ("ticket_created", "person", 1)
    assert event.changes["ticket_number"] == [None, ticket.ticket_number]
    assert event.changes["equipment_id"] == [None, equipment]
    assigned = await make.assigned(ticket=ticket.id)
    assert (assigned.equipment_id, (await world.details(ticket.id)).waiting_since) == (equipment, None)


async def test_numbers_never_collide(make, world, db):
    async with db.connection() as conn:
        await conn.execute("SELECT setval('ticket_numbers', 7)")
    await make.ticket(ticket_number="TKT-000009")
    results = await asyncio.gather(*(world.run(create_ticket, CreateTicket()) for _ in range(50)))
    numbers = {result.ticket.ticket_number for result in results}
    assert len(numbers) == 50
    assert {"TKT-000008", "TKT-000010"} <= numbers
    assert "TKT-000009" not in numbers


async def test_a_given_number_belongs_to_one_ticket(make, world):
    taken = await make.ticket(ticket_number="SR 1")
    with pytest.raises(AlreadyInUse) as raised:
        await world.run(create_ticket, CreateTicket(ticket_number="SR 1"))
    assert (raised.value.field, raised.value.value, raised.value.record_id) == ("ticketNumber", "SR 1", taken)
    results = await asyncio.gather(
        *(outcome(world.run(create_ticket, CreateTicket(ticket_number="SR 2"))) for _ in range(10))
    )
    assert sorted(type(result).__name__ for result in results) == ["AlreadyInUse"] * 9 + ["CreatedTicket"]


async def test_a_known_external_id_answers_with_its_ticket(world):
    def create(**values):
        command = CreateTicket(external_source="sap-pm", external_id="4711", **values)
        return world.run(create_ticket, command)

    results = await asyncio.gather(*(create() for _ in range(10)))
    assert {result.ticket.id for result in results} == {results[0].ticket.id}
    assert sum(result.created for result in results) == 1
    changes = await world.count_changes()
    again = await create(customer_name="x")
    assert (again.ticket.customer_name, again.created) == (None, False)
    assert await world.count_changes() == changes


async def test_a_repeat_creates_nothing(world):
    results = await asyncio.gather(*(world.run(create_ticket, CreateTicket(), key="k") for _ in range(5)))
    assert [result.ticket for result in results] == [results[0].ticket] * 5
    assert await world.count_changes() == 1


async def test_bad_input_changes_nothing(make, world):
    open_ticket = await make.ticket()
    for values, refusal, message in (
        ({"equipment_id": EquipmentId("none")}, EquipmentNotFound, "no equipment none"),
        ({"external_id": "1"}, InvalidInput, "externalId needs externalSource"),
        ({"follow_up_of_id": open_ticket}, InvalidInput, "followUpOfId must be a ticket that is resolved"),
        ({"ticket_number": "x" * 51}, InvalidInput, "50 characters"),
    ):
        with pytest.raises(refusal, match=message):
            await world.run(create_ticket, CreateTicket(**values))
    assert await world.count_changes() == 0
