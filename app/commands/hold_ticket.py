"""Put a ticket on hold: its work is interrupted."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.commands import ticket_command
from app.commands.command import command_dataclass, command_field, text_field
from app.commands.ticket_command import TicketCommand
from app.commands.ticket_state import Change, TicketState
from app.domain import values
from app.domain.errors import InvalidInput
from app.domain.events import EventType
from app.domain.lifecycle import Action
from app.domain.model import TicketStatus

REFUSALS = ticket_command.REFUSALS
MAX_HOLD = timedelta(days=366)


@command_dataclass
class HoldTicket(TicketCommand):
    """Put an open ticket on hold. A current assignment stays with its engineer, without a limit to accept."""

    action = Action.HOLD_TICKET
    reason: str = text_field("Why the work is interrupted.")
    until: datetime | None = command_field(
        f"When the ticket resumes by itself: after now, at most {MAX_HOLD.days} days ahead. Otherwise"
        " somebody has to resume it.",
        values.parse_datetime,
        default=None,
    )


def hold_ticket(command: HoldTicket, state: TicketState) -> Change:
    state.require_ticket_status(command.action)
    require_hold_end("until", command.until, state.now)
    return Change(
        ((EventType.TICKET_HELD, None),),
        TicketStatus.ON_HOLD,
        {"reason": command.reason, "until": command.until},
        {"hold_reason": command.reason, "hold_until": command.until},
    )


def require_hold_end(field: str, until: datetime | None, now: datetime) -> None:
    """Raises InvalidInput unless a hold may end then."""
    if until is not None and not now < until <= now + MAX_HOLD:
        raise InvalidInput(field, f"must be after now, at most {MAX_HOLD.days} days ahead")
