"""Add a note to a ticket."""

from __future__ import annotations

from uuid import uuid4

from app.commands.command import TICKET_REFUSALS, Command, command_dataclass, command_field, text_field
from app.commands.ticket_state import Change, TicketState
from app.domain import errors, values
from app.domain.events import EventType
from app.domain.lifecycle import Action
from app.domain.model import NoteId, TicketId, TicketNote

REFUSALS = (errors.TicketNotFound, *TICKET_REFUSALS)


@command_dataclass
class AddNote(Command):
    """Add a note to a ticket in any status. Engineers may, on tickets that are or were assigned to them."""

    action = Action.ADD_NOTE
    ticket_id: TicketId = command_field("The ticket.", values.ticket_id)
    text: str = text_field("Text of the note.")
    for_next_holder: bool = command_field(
        "Whether the note is meant for the next engineer, who sees it first.", default=False
    )


def add_note(command: AddNote, state: TicketState) -> Change:
    note = TicketNote(
        NoteId(uuid4()),
        state.ticket.id,
        command.text,
        command.for_next_holder,
        state.actor.subject,
        state.actor.engineer_id,
        state.now,
    )
    details = {"note_id": note.id, "text": note.text, "for_next_holder": note.for_next_holder}
    return Change(((EventType.NOTE_ADDED, None),), details=details, note=note)
