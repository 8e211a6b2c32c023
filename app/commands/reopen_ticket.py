"""Reopen a ticket that is resolved, closed or cancelled."""

from __future__ import annotations

from app.commands import ticket_command
from app.commands.command import command_dataclass, text_field
from app.commands.ticket_command import TicketCommand
from app.commands.ticket_state import Change, TicketState
from app.domain import errors
from app.domain.events import EventType
from app.domain.history import reopenable_until
from app.domain.lifecycle import Action
from app.domain.model import TicketStatus

REFUSALS = (errors.ReopenWindowOver, *ticket_command.REFUSALS)


@command_dataclass
class ReopenTicket(TicketCommand):
    """Reopen a resolved ticket, or a closed or cancelled one within the reopen window. It becomes NEW."""

    action = Action.REOPEN_TICKET
    reason: str = text_field("Why the ticket is reopened.")


def reopen_ticket(command: ReopenTicket, state: TicketState) -> Change:
    state.require_ticket_status(command.action)
    until = reopenable_until(state.ticket, state.details, state.rules)
    if until is not None and state.now > until:
        raise errors.ReopenWindowOver(state.ticket.id, until)
    return Change(
        ((EventType.TICKET_REOPENED, None),),
        TicketStatus.NEW,
        {"reason": command.reason, "status_before": state.ticket.status},
        dict.fromkeys(("resolved_at", "closed_at", "cancelled_at", "duplicate_of")),
    )
