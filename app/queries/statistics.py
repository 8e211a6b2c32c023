"""Statistics of a period; the statements are in sql/queries/statistics.sql.

docs/statistics.md defines the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from app.db import sql
from app.domain.model import AssignmentStatus, CompletionStatus, EngineerId
from app.domain.period import Period

if TYPE_CHECKING:
    from app.db.connections import Connection

MAX_REASONS = 100
_FOUR_PLACES = Decimal("0.0001")


class Unit(StrEnum):
    """The unit of a time series."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """All conditions that are not None must match."""

    period: Period
    tier: int | None = None
    engineer_id: EngineerId | None = None
    customer: str | None = None
    equipment_model: str | None = None

    @property
    def as_parameters(self) -> tuple[object, ...]:
        """The first parameters of every statement."""
        start, until = self.period.start, self.period.until
        return start, until, self.tier, self.engineer_id, self.customer, self.equipment_model


@dataclass(frozen=True, slots=True)
class EscalationCount:
    """The number of tickets with this number of escalations."""

    escalations: int
    tickets: int


@dataclass(frozen=True, slots=True)
class TicketFigures:
    by_escalations: Sequence[EscalationCount]

    @property
    def tickets(self) -> int:
        return sum(count.tickets for count in self.by_escalations)

    @property
    def escalated(self) -> int:
        return sum(count.tickets for count in self.by_escalations if count.escalations)

    @property
    def escalated_share(self) -> Decimal | None:
        return _ratio(self.escalated, self.tickets)

    @property
    def average_escalations(self) -> Decimal | None:
        return _ratio(sum(count.escalations * count.tickets for count in self.by_escalations), self.tickets)


@dataclass(frozen=True, slots=True)
class EscalationPath:
    from_tier: int
    to_tier: int | None
    manual: int
    automatic: int


@dataclass(frozen=True, slots=True)
class EngineerWork:
    engineer_id: EngineerId
    assignments: int
    accepted: int
    mean_seconds_to_accept: Decimal | None
    escalated_to_manually: int
    escalated_to_automatically: int
    completed: int
    failed: int
    rejected: int
    escalated_from_manually: int
    escalated_from_automatically: int
    reassigned: int
    cancelled: int
    time_spent_hours: Decimal


@dataclass(frozen=True, slots=True)
class Durations:
    """Times are None if nothing was counted. `left_out` counts old rows without reliable times."""

    counted: int
    left_out: int
    mean_seconds: Decimal | None
    p50_seconds: Decimal | None
    p95_seconds: Decimal | None


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    status: AssignmentStatus
    completion_status: CompletionStatus | None
    assignments: int


@dataclass(frozen=True, slots=True)
class ReasonCount:
    reason: str | None
    assignments: int


@dataclass(frozen=True, slots=True)
class TierTime:
    tier: int
    assignments: int
    time_spent_hours: Decimal


@dataclass(frozen=True, slots=True)
class TimeSpent:
    """Time by name of a customer or equipment model; None if unknown."""

    name: str | None
    assignments: int
    time_spent_hours: Decimal


@dataclass(frozen=True, slots=True)
class SeriesPart:
    """`start` is the first day of the interval in the requested time zone."""

    start: date
    tickets: int
    assignments: int
    escalations: int
    completed: int
    time_spent_hours: Decimal


_TICKETS = sql.load("statistics", "tickets_by_escalations", row=EscalationCount)
_ESCALATIONS = sql.load("statistics", "escalations_by_tier", row=EscalationPath)
_ENGINEERS = sql.load("statistics", "work_of_engineers", row=EngineerWork)
_TO_ACCEPT = sql.load("statistics", "time_to_accept", row=Durations)
_TO_RESOLVE = sql.load("statistics", "time_to_resolve", row=Durations)
_OUTCOMES = sql.load("statistics", "outcomes", row=OutcomeCount)
_REJECTIONS = sql.load("statistics", "rejections_by_reason", row=ReasonCount)
_BY_TIER = sql.load("statistics", "time_by_tier", row=TierTime)
_BY_MODEL = sql.load("statistics", "time_by_equipment_model", row=TimeSpent)
_BY_CUSTOMER = sql.load("statistics", "time_by_customer", row=TimeSpent)
_SERIES = sql.load("statistics", "series", row=SeriesPart)


async def ticket_figures(conn: Connection, filter: ReportFilter) -> TicketFigures:
    return TicketFigures(await _TICKETS.all(conn, *filter.as_parameters))


async def escalations_by_tier(conn: Connection, filter: ReportFilter) -> list[EscalationPath]:
    return await _ESCALATIONS.all(conn, *filter.as_parameters)


async def work_of_engineers(conn: Connection, filter: ReportFilter) -> list[EngineerWork]:
    """In no particular order."""
    return await _ENGINEERS.all(conn, *filter.as_parameters)


async def time_to_accept(conn: Connection, filter: ReportFilter) -> Durations:
    return await _TO_ACCEPT.one(conn, *filter.as_parameters)


async def time_to_resolve(conn: Connection, filter: ReportFilter) -> Durations:
    return await _TO_RESOLVE.one(conn, *filter.as_parameters)


async def outcomes(conn: Connection, filter: ReportFilter) -> list[OutcomeCount]:
    return await _OUTCOMES.all(conn, *filter.as_parameters)


async def rejections_by_reason(conn: Connection, filter: ReportFilter) -> list[ReasonCount]:
    """The MAX_REASONS most frequent reasons, most frequent first."""
    return await _REJECTIONS.all(conn, *filter.as_parameters, MAX_REASONS)


async def time_by_tier(conn: Connection, filter: ReportFilter) -> list[TierTime]:
    return await _BY_TIER.all(conn, *filter.as_parameters)


async def time_by_equipment_model(conn: Connection, filter: ReportFilter) -> list[TimeSpent]:
    """In no particular order."""
    return await _BY_MODEL.all(conn, *filter.as_parameters)


async def time_by_customer(conn: Connection, filter: ReportFilter) -> list[TimeSpent]:
    """In no particular order."""
    return await _BY_CUSTOMER.all(conn, *filter.as_parameters)


async def series(conn: Connection, filter: ReportFilter, unit: Unit, time_zone: str) -> list[SeriesPart]:
    """All intervals that overlap the period. The database must know the time zone."""
    return await _SERIES.all(conn, *filter.as_parameters, unit, time_zone)


def _ratio(part: int, whole: int) -> Decimal | None:
    return (Decimal(part) / whole).quantize(_FOUR_PLACES, ROUND_HALF_UP) if whole else None
