"""Reassign a ticket to another engineer at the same tier."""

from __future__ import annotations

from app.commands.command import (
    EXPECTED_SEQUENCE,
    TICKET_REFUSALS,
    command_dataclass,
    command_field,
    text_field,
)
from app.commands.ticket_state import Change, TicketState
from app.commands.unfinished_work import UnfinishedWork
from app.domain import errors, values
from app.domain.events import EventType
from app.domain.lifecycle import Action
from app.domain.model import AssignmentType, EngineerId, TicketId, TicketStatus

REFUSALS = (
    errors.TicketNotFound,
    errors.TicketNotOpen,
    errors.NoCurrentAssignment,
    errors.EngineerNotFound,
    errors.EngineerInactive,
    errors.SameEngineer,
    errors.StaleSequence,
    *TICKET_REFUSALS,
)


@command_dataclass
class ReassignTicket(UnfinishedWork):
    """Cancel the current assignment and assign another engineer at the same tier, atomically."""

    action = Action.REASSIGN
    ticket_id: TicketId = command_field("Ticket to reassign.", values.ticket_id)
    engineer_id: EngineerId = command_field("Engineer to assign; must be active.", values.engineer_id)
    reason: str = text_field("Why the ticket is reassigned; stored with both assignments.")
    expected_sequence: int | None = command_field(*EXPECTED_SEQUENCE, default=None)


def reassign_ticket(command: ReassignTicket, state: TicketState) -> Change:
    current = state.assignment_for(command.action)
    next_assignment = state.next_assignment(
        command.engineer_id,
        tier=current.assignment_tier,
        tier_name=current.assignment_tier_name,
        reason=command.reason,
        assignment_type=AssignmentType.REASSIGNMENT,
    )
    cancelled = command.cancelled(state, command.reason)
    return Change(
        ((EventType.REASSIGNED, cancelled), (EventType.ASSIGNED, next_assignment)), TicketStatus.ASSIGNED
    )
