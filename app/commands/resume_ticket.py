"""Resume a ticket that is on hold."""

from __future__ import annotations

from app.commands import ticket_command
from app.commands.command import command_dataclass, text_field
from app.commands.ticket_command import TicketCommand
from app.commands.ticket_state import Change, TicketState
from app.domain.events import EventType
from app.domain.lifecycle import Action
from app.domain.model import AssignmentStatus, TicketStatus

REFUSALS = ticket_command.REFUSALS


@command_dataclass
class ResumeTicket(TicketCommand):
    """Resume a ticket that is on hold. Its status follows from the current assignment; NEW without one."""

    action = Action.RESUME_TICKET
    reason: str | None = text_field("Why the work continues.", default=None)


def resume_ticket(command: ResumeTicket, state: TicketState) -> Change:
    state.require_ticket_status(command.action)
    current = state.assignment
    if current is None:
        status = TicketStatus.NEW
    elif current.status is AssignmentStatus.IN_PROGRESS:
        status = TicketStatus.IN_PROGRESS
    else:
        status = TicketStatus.ASSIGNED
    return Change(((EventType.TICKET_RESUMED, None),), status, {"reason": command.reason, "status": status})
