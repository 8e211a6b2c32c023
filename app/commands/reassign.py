"""Reassign: hand a ticket to a colleague at the same tier."""

from __future__ import annotations

from dataclasses import replace

from app.commands.command import ALWAYS, EXPECTED_SEQUENCE, Command, command, given
from app.commands.ticket_state import Change, LockedTicket
from app.domain import values
from app.domain.errors import (
    EngineerInactive,
    EngineerNotFound,
    NoCurrentAssignment,
    SameEngineer,
    StaleSequence,
    TicketNotFound,
    TicketNotOpen,
)
from app.domain.lifecycle import Action, EventType
from app.domain.model import AssignmentStatus, AssignmentType, EngineerId, TicketId, TicketStatus

REFUSALS = (
    TicketNotFound,
    TicketNotOpen,
    NoCurrentAssignment,
    EngineerNotFound,
    EngineerInactive,
    SameEngineer,
    StaleSequence,
    *ALWAYS,
)


@command
class ReassignTicket(Command):
    """Cancel the current assignment and open the next at the same tier, both or neither."""

    action = Action.REASSIGN
    ticket_id: TicketId = given("The ticket to hand over.", values.ticket_id)
    engineer_id: EngineerId = given("Who is to hold it next; must be active.", values.engineer_id)
    reason: str = given(
        "Why it is handed over; both assignments keep it.", values.text(values.LONG, required=True)
    )
    expected_sequence: int | None = given(*EXPECTED_SEQUENCE, default=None)


def reassign_ticket(wish: ReassignTicket, locked: LockedTicket) -> Change:
    current = locked.assignment_to(wish.action)
    opened = locked.next_assignment(
        wish.engineer_id,
        tier=current.assignment_tier,
        tier_name=current.assignment_tier_name,
        reason=wish.reason,
        kind=AssignmentType.REASSIGNMENT,
    )
    ended = replace(
        current,
        status=AssignmentStatus.CANCELLED,
        completed_at=locked.now,
        cancellation_reason=wish.reason,
        updated_at=locked.now,
    )
    return Change(((EventType.REASSIGNED, ended), (EventType.ASSIGNED, opened)), TicketStatus.ASSIGNED)
