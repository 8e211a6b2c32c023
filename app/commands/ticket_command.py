"""What the commands that change a ticket itself have in common."""

from __future__ import annotations

from app.commands.command import (
    EXPECTED_VERSION,
    TICKET_REFUSALS,
    Command,
    command_dataclass,
    command_field,
)
from app.domain import errors, values
from app.domain.model import TicketId

REFUSALS = (
    errors.TicketNotFound,
    errors.TicketTransitionNotAllowed,
    errors.StaleVersion,
    *TICKET_REFUSALS,
)


@command_dataclass
class TicketCommand(Command):
    """The ticket, and the version of it that the client has seen."""

    ticket_id: TicketId = command_field("The ticket to change.", values.ticket_id)
    expected_version: int | None = command_field(*EXPECTED_VERSION, default=None)
