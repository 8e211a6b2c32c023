"""Assign: give a ticket that nobody holds to an engineer."""

from __future__ import annotations

from app.commands.command import ALWAYS, EXPECTED_SEQUENCE, Command, command, given
from app.commands.ticket_state import Change, LockedTicket
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
    *ALWAYS,
)


@command
class AssignTicket(Command):
    """Give a ticket that nobody holds to an engineer. To hand over a held one, escalate or reassign."""

    action = Action.ASSIGN
    ticket_id: TicketId = given("The ticket to assign.", values.ticket_id)
    engineer_id: EngineerId = given("Who is to hold it; must be active.", values.engineer_id)
    tier: int = given("Whose people are asked: 1 OEM to 5 Hospital.", values.tier, default=1)
    tier_name: str | None = given(
        "Another name for the tier, where yours differs.", values.text(values.SHORT), default=None
    )
    reason: str | None = given("Why this engineer, for the history.", values.text(values.LONG), default=None)
    type: AssignmentType = given(
        "AUTO when a rule chose, MANUAL when a person did.", default=AssignmentType.MANUAL
    )
    expected_sequence: int | None = given(*EXPECTED_SEQUENCE, default=None)


def assign_ticket(wish: AssignTicket, locked: LockedTicket) -> Change:
    if wish.type not in (AssignmentType.AUTO, AssignmentType.MANUAL):
        raise InvalidInput("type", "must be AUTO or MANUAL; the others come from escalate and reassign")
    if locked.assignment is not None:
        raise TicketAlreadyAssigned(locked.assignment)
    opened = locked.next_assignment(
        wish.engineer_id, tier=wish.tier, tier_name=wish.tier_name, reason=wish.reason, kind=wish.type
    )
    return Change(((EventType.ASSIGNED, opened),), TicketStatus.ASSIGNED)
