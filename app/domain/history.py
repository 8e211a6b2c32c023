"""What a ticket's history adds up to: who holds it, escalations, and hours by engineer."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from app.domain.lifecycle import ACTIVE
from app.domain.model import TOP_TIER, AssignmentStatus, EngineerId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.domain.model import Assignment


@dataclass(frozen=True, slots=True)
class EngineerTime:
    """The part of one engineer in a ticket's hours."""

    engineer_id: EngineerId
    time_spent_hours: Decimal
    assignments: int


def current_assignment(history: Sequence[Assignment]) -> Assignment | None:
    for assignment in reversed(history):  # it is the last, if any
        if assignment.status in ACTIVE:
            return assignment
    return None


def next_tier(history: Sequence[Assignment]) -> int:
    """Whose people are asked next: a higher tier's while somebody holds the ticket, else the last one's."""
    if not history:
        return 1
    held = current_assignment(history)
    return history[-1].assignment_tier if held is None else min(held.assignment_tier + 1, TOP_TIER)


def escalation_count(history: Sequence[Assignment]) -> int:
    return sum(a.status is AssignmentStatus.ESCALATED for a in history)


def total_hours(history: Sequence[Assignment]) -> Decimal:
    """Two places, also when nobody has worked: 0.00."""
    return sum((a.time_spent_hours for a in history if a.time_spent_hours is not None), Decimal("0.00"))


def time_by_engineer(history: Sequence[Assignment]) -> list[EngineerTime]:
    """Each engineer once, in the order in which they first had the ticket."""
    turns: dict[EngineerId, list[Assignment]] = {}
    for assignment in history:
        turns.setdefault(assignment.engineer_id, []).append(assignment)
    return [EngineerTime(engineer, total_hours(own), len(own)) for engineer, own in turns.items()]
