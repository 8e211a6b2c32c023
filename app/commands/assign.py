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
from app.domain.events import EventType
from app.domain.lifecycle import Action
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
    tier: int | None = command_field(
        "Support tier, 1 OEM to 5 Hospital. By default the ticket's `nextTier`.", values.tier, default=None
    )
    tier_name: str | None = text_field(
        "Name of the tier if yours differs from the standard one.", max_length=values.SHORT, default=None
    )
    reason: str | None = text_field("Why this engineer was chosen.", default=None)
    type: AssignmentType = command_field(
        "Must be MANUAL: the type follows from who acts.",
        default=AssignmentType.MANUAL,
        deprecated="The type follows from who acts. Supported until 2027-12-31.",
    )
    expected_sequence: int | None = command_field(*EXPECTED_SEQUENCE, default=None)


def assign_ticket(
    command: AssignTicket,
    state: TicketState,
    *,
    assignment_type: AssignmentType = AssignmentType.MANUAL,
) -> Change:
    if command.type is not AssignmentType.MANUAL:
        raise errors.InvalidInput("type", "must be MANUAL or omitted; it follows from who acts")
    if state.assignment is not None:
        raise errors.TicketAlreadyAssigned(state.assignment)
    assignment = state.next_assignment(
        command.engineer_id,
        tier=command.tier or state.next_tier,
        tier_name=command.tier_name,
        reason=command.reason,
        assignment_type=assignment_type,
    )
    return Change(((EventType.ASSIGNED, assignment),), TicketStatus.ASSIGNED)
