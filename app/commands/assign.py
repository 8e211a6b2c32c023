"""Assign a ticket that has no current assignment to an engineer."""

from __future__ import annotations

from app.commands.command import (
    EXPECTED_SEQUENCE,
    TICKET_REFUSALS,
    Command,
    command_dataclass,
    command_field,
    text_field,
)
from app.commands.ticket_state import Change, TicketState
from app.domain import errors, values
from app.domain.lifecycle import Action, EventType
from app.domain.model import AssignmentType, EngineerId, TicketId, TicketStatus

REFUSALS = (
    errors.TicketNotFound,
    errors.TicketNotOpen,
    errors.TicketAlreadyAssigned,
    errors.EngineerNotFound,
    errors.EngineerInactive,
    errors.StaleSequence,
    *TICKET_REFUSALS,
)


@command_dataclass
class AssignTicket(Command):
    """Assign a ticket to an engineer. If it has a current assignment, escalate or reassign it instead."""

    action = Action.ASSIGN
    ticket_id: TicketId = command_field("Ticket to assign.", values.ticket_id)
    engineer_id: EngineerId = command_field("Engineer to assign; must be active.", values.engineer_id)
    tier: int = command_field("Support tier, 1 OEM to 5 Hospital.", values.tier, default=1)
    tier_name: str | None = text_field(
        "Name of the tier if yours differs from the standard one.", max_length=values.SHORT, default=None
    )
    reason: str | None = text_field("Why this engineer was chosen.", default=None)
    type: AssignmentType = command_field(
        "AUTO if a rule chose the engineer, MANUAL if a person did.", default=AssignmentType.MANUAL
    )
    expected_sequence: int | None = command_field(*EXPECTED_SEQUENCE, default=None)


def assign_ticket(command: AssignTicket, state: TicketState) -> Change:
    if command.type not in (AssignmentType.AUTO, AssignmentType.MANUAL):
        raise errors.InvalidInput("type", "must be AUTO or MANUAL; escalate and reassign set the others")
    if state.assignment is not None:
        raise errors.TicketAlreadyAssigned(state.assignment)
    assignment = state.next_assignment(
        command.engineer_id,
        tier=command.tier,
        tier_name=command.tier_name,
        reason=command.reason,
        assignment_type=command.type,
    )
    return Change(((EventType.ASSIGNED, assignment),), TicketStatus.ASSIGNED)
