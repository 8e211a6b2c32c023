"""Escalate: hand a ticket to an engineer at a higher tier."""

from __future__ import annotations

from dataclasses import replace

from app.commands.command import ALWAYS, EXPECTED_SEQUENCE, Command, command, given
from app.commands.ticket_state import Change, LockedTicket
from app.domain import values
from app.domain.errors import (
    EngineerInactive,
    EngineerNotFound,
    NoCurrentAssignment,
    NoHigherTier,
    SameEngineer,
    StaleSequence,
    TicketNotFound,
    TicketNotOpen,
    TierNotHigher,
)
from app.domain.lifecycle import Action, EventType
from app.domain.model import (
    TOP_TIER,
    AssignmentStatus,
    AssignmentType,
    CompletionStatus,
    EngineerId,
    TicketId,
    TicketStatus,
)

REFUSALS = (
    TicketNotFound,
    TicketNotOpen,
    NoCurrentAssignment,
    EngineerNotFound,
    EngineerInactive,
    SameEngineer,
    NoHigherTier,
    TierNotHigher,
    StaleSequence,
    *ALWAYS,
)


@command
class EscalateTicket(Command):
    """End the current assignment as escalated and open the next at a higher tier, both or neither."""

    action = Action.ESCALATE
    ticket_id: TicketId = given("The ticket to escalate.", values.ticket_id)
    reason: str = given("Why it moves up; both assignments keep it.", values.text(values.LONG, required=True))
    next_engineer_id: EngineerId = given("Who is to hold it next; must be active.", values.engineer_id)
    next_tier: int | None = given(
        "The tier it moves to; the next one when left out.", values.tier, default=None
    )
    next_tier_name: str | None = given(
        "Another name for the tier, where yours differs.", values.text(values.SHORT), default=None
    )
    expected_sequence: int | None = given(*EXPECTED_SEQUENCE, default=None)


def escalate_ticket(
    wish: EscalateTicket, locked: LockedTicket, *, kind: AssignmentType = AssignmentType.ESCALATION
) -> Change:
    current = locked.assignment_to(wish.action)
    opened = locked.next_assignment(
        wish.next_engineer_id,
        tier=_next_tier(wish, current.assignment_tier),
        tier_name=wish.next_tier_name,
        reason=wish.reason,
        kind=kind,
    )
    ended = replace(
        current,
        status=AssignmentStatus.ESCALATED,
        completed_at=locked.now,
        completion_status=CompletionStatus.ESCALATED,
        escalation_reason=wish.reason,
        updated_at=locked.now,
    )
    return Change(((EventType.ESCALATED, ended), (EventType.ASSIGNED, opened)), TicketStatus.ASSIGNED)


def _next_tier(wish: EscalateTicket, current_tier: int) -> int:
    if current_tier >= TOP_TIER:
        raise NoHigherTier(current_tier)
    if wish.next_tier is not None and wish.next_tier <= current_tier:
        raise TierNotHigher(current_tier, wish.next_tier)
    return wish.next_tier or current_tier + 1
