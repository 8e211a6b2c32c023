"""Close a resolved ticket."""

from __future__ import annotations

from app.commands import ticket_command
from app.commands.command import command_dataclass, text_field
from app.commands.ticket_command import TicketCommand
from app.commands.ticket_state import Change, TicketState
from app.domain.events import EventType
from app.domain.lifecycle import Action
from app.domain.model import TicketStatus

REFUSALS = ticket_command.REFUSALS


@command_dataclass
class CloseTicket(TicketCommand):
    """Close a resolved ticket. An open one is resolved by completing its assignment, or cancelled."""

    action = Action.CLOSE_TICKET
    reason: str | None = text_field("Why the ticket is closed.", default=None)


def close_ticket(command: CloseTicket, state: TicketState) -> Change:
    state.require_ticket_status(command.action)
    return Change(
        ((EventType.TICKET_CLOSED, None),),
        TicketStatus.CLOSED,
        {"reason": command.reason},
        {"closed_at": state.now},
    )
