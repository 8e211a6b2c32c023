"""Assign: give a ticket that nobody holds to an engineer."""

from __future__ import annotations

from app.commands.command import COMMON_REFUSALS, EXPECTED_SEQUENCE, Command, command_dataclass, command_field
from app.commands.ticket_state import Change, TicketState
from app.domain import values
from app.domain.errors import (
    EngineerInactive,
    EngineerNotFound,
    InvalidInput,
    StaleSequence,
    TicketAlreadyAssigned,
    TicketNotFound,
    TicketNotOpen,
)
from app.domain.lifecycle import Action, EventType
from app.domain.model import AssignmentType, EngineerId, TicketId, TicketStatus

REFUSALS = (
    TicketNotFound,
    TicketNotOpen,
    TicketAlreadyAssigned,
    EngineerNotFound,
    EngineerInactive,
    StaleSequence,
    *COMMON_REFUSALS,
)


@command_dataclass
class AssignTicket(Command):
    """Give a ticket that nobody holds to an engineer. To hand over a held one, escalate or reassign."""

    action = Action.ASSIGN
    ticket_id: TicketId = command_field("The ticket to assign.", values.ticket_id)
    engineer_id: EngineerId = command_field("Who is to hold it; must be active.", values.engineer_id)
    tier: int = command_field("Whose people are asked: 1 OEM to 5 Hospital.", values.tier, default=1)
    tier_name: str | None = command_field(
        "Another name for the tier, where yours differs.", values.text(values.SHORT), default=None
    )
    reason: str | None = command_field(
        "Why this engineer, for the history.", values.text(values.LONG), default=None
    )
    type: AssignmentType = command_field(
        "AUTO when a rule chose, MANUAL when a person did.", default=AssignmentType.MANUAL
    )
    expected_sequence: int | None = command_field(*EXPECTED_SEQUENCE, default=None)


def assign_ticket(command: AssignTicket, state: TicketState) -> Change:
    if command.type not in (AssignmentType.AUTO, AssignmentType.MANUAL):
        raise InvalidInput("type", "must be AUTO or MANUAL; the others come from escalate and reassign")
    if state.assignment is not None:
        raise TicketAlreadyAssigned(state.assignment)
    opened = state.next_assignment(
        command.engineer_id,
        tier=command.tier,
        tier_name=command.tier_name,
        reason=command.reason,
        assignment_type=command.type,
    )
    return Change(((EventType.ASSIGNED, opened),), TicketStatus.ASSIGNED)
