import pytest

from app.commands.add_note import AddNote, add_note
from app.domain.errors import TicketNotFound
from tests.factories import as_engineer


async def test_a_note_changes_nothing_else(make, world):
    assigned = await make.assigned()
    before = await world.ticket(assigned.ticket_id), await world.details(assigned.ticket_id)
    note = await world.act("add_note", assigned, text="Ask for Di", for_next_holder=True)
    assert await world.is_stored(note)
    assert (await world.ticket(assigned.ticket_id), await world.details(assigned.ticket_id)) == before
    event = await world.last_event(assigned.ticket_id)
    assert event.details == {"note_id": str(note.id), "text": "Ask for Di", "for_next_holder": True}
    assert (event.changes, event.ticket_version) == (None, before[1].version)


async def test_engineers_write_on_tickets_that_were_ever_theirs(make, world):
    assigned = await make.assigned()
    await world.escalate(assigned)
    command = AddNote(ticket_id=assigned.ticket_id, text="x")
    note = await world.run(add_note, command, as_engineer(assigned.engineer_id))
    assert note.author_engineer_id == assigned.engineer_id
    with pytest.raises(TicketNotFound):
        await world.run(add_note, command, as_engineer(await make.engineer()))


async def test_a_repeat_returns_the_note(make, world):
    command = AddNote(ticket_id=await make.ticket(), text="x")
    first, second = [await world.run(add_note, command, key="k") for _ in range(2)]
    assert first == second
