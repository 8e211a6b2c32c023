"""Cancel a ticket, with its current assignment."""

from __future__ import annotations

from app.commands import ticket_command
from app.commands.command import (
    EXPECTED_SEQUENCE,
    EXPECTED_VERSION,
    command_dataclass,
    command_field,
    text_field,
)
from app.commands.ticket_state import Change, TicketState
from app.commands.unfinished_work import UnfinishedWork
from app.domain import errors, values
from app.domain.events import EventType
from app.domain.lifecycle import Action
from app.domain.model import Assignment, TicketId, TicketStatus

REFUSALS = (errors.StaleSequence, *ticket_command.REFUSALS)


@command_dataclass
class CancelTicket(UnfinishedWork):
    """Cancel an open ticket and end its current assignment, both or neither."""

    action = Action.CANCEL_TICKET
    ticket_id: TicketId = command_field("The ticket to cancel.", values.ticket_id)
    reason: str = text_field("Why the ticket is cancelled; stored with the assignment that ends, too.")
    duplicate_of_id: TicketId | None = command_field(
        "The ticket that this one duplicates; it must not be cancelled.", values.ticket_id, default=None
    )
    expected_version: int | None = command_field(*EXPECTED_VERSION, default=None)
    expected_sequence: int | None = command_field(*EXPECTED_SEQUENCE, default=None)


def cancel_ticket(command: CancelTicket, state: TicketState) -> Change:
    state.require_ticket_status(command.action)
    _require_original(command, state)
    events: list[tuple[EventType, Assignment | None]] = []
    if state.assignment is not None:
        events.append((EventType.CANCELLED, command.cancelled(state, command.reason)))
    elif command.work_done:
        raise errors.InvalidInput("timeSpentHours", "needs a current assignment, as do findings and parts")
    events.append((EventType.TICKET_CANCELLED, None))
    return Change(
        tuple(events),
        TicketStatus.CANCELLED,
        {"reason": command.reason, "duplicate_of": command.duplicate_of_id},
        {"cancelled_at": state.now, "duplicate_of": command.duplicate_of_id},
    )


def _require_original(command: CancelTicket, state: TicketState) -> None:
    """Raises InvalidInput unless the ticket can be the original: a cancelled one may be a copy itself."""
    original = command.duplicate_of_id
    if original is None:
        return
    if original == state.ticket.id:
        raise errors.InvalidInput("duplicateOfId", "must be another ticket")
    if state.related_status is None:
        raise errors.InvalidInput("duplicateOfId", "must be the id of a ticket")
    if state.related_status is TicketStatus.CANCELLED:
        raise errors.InvalidInput("duplicateOfId", "must not be a cancelled ticket")
