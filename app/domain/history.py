"""Values derived from a ticket's assignments, which are given ordered by sequence."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from app.domain.declarations import api_field, row_dataclass
from app.domain.lifecycle import ACTIVE
from app.domain.model import TOP_TIER, AssignmentStatus, EngineerId, TicketStatus
from app.rows import attribute

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from app.domain.lifecycle import TicketRules
    from app.domain.model import Assignment, Ticket, TicketDetails


@row_dataclass
class EngineerTime:
    """The hours of one engineer on a ticket."""

    engineer_id: EngineerId
    time_spent_hours: Decimal = api_field("Total hours of the engineer, with two decimals.")
    assignments: int = api_field("Number of times the ticket was assigned to the engineer.")


def current_assignment(history: Sequence[Assignment]) -> Assignment | None:
    statuses = attribute(history, "status")
    return next((history[i] for i in reversed(range(len(history))) if statuses[i] in ACTIVE), None)


def next_tier(history: Sequence[Assignment], asked_for: int | None) -> int:
    """Return the tier to assign to next.

    That is above the current assignment's; else what an escalation asked for; else the last assignment's.
    """
    current = current_assignment(history)
    if current is not None:
        return min(current.assignment_tier + 1, TOP_TIER)
    return unassigned_tier(asked_for, history[-1].assignment_tier if history else None)


def unassigned_tier(asked_for: int | None, last_tier: int | None) -> int:
    """Return the tier to assign to next while nobody is assigned."""
    return asked_for or last_tier or 1


def reopenable_until(ticket: Ticket, details: TicketDetails, rules: TicketRules) -> datetime | None:
    """Return when a closed or cancelled ticket can last be reopened; None for any other."""
    if ticket.status is TicketStatus.CLOSED:
        return (ticket.closed_at or ticket.updated_at) + rules.reopen_within
    if ticket.status is TicketStatus.CANCELLED:
        return (details.cancelled_at or ticket.updated_at) + rules.reopen_within
    return None


def escalation_count(history: Sequence[Assignment]) -> int:
    return sum(status is AssignmentStatus.ESCALATED for status in attribute(history, "status"))


def total_hours(history: Sequence[Assignment]) -> Decimal:
    """Return the sum with two decimal places; 0.00 without any hours."""
    return _sum(attribute(history, "time_spent_hours"))


def time_by_engineer(history: Sequence[Assignment]) -> list[EngineerTime]:
    """Return each engineer once, ordered by their first assignment."""
    hours: dict[EngineerId, list[Decimal | None]] = {}
    columns = attribute(history, "engineer_id"), attribute(history, "time_spent_hours")
    for engineer_id, time_spent_hours in zip(*columns, strict=True):
        hours.setdefault(engineer_id, []).append(time_spent_hours)
    return [EngineerTime(engineer_id, _sum(own), len(own)) for engineer_id, own in hours.items()]


def _sum(hours: Iterable[Decimal | None]) -> Decimal:
    return sum((each for each in hours if each is not None), Decimal("0.00"))
