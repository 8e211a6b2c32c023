"""Figures over a period; the statements are in sql/queries/statistics.sql.

docs/statistics.md says what each means.
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

MOST_REASONS = 100
_FOUR_PLACES = Decimal("0.0001")


class Unit(StrEnum):
    """The parts of a series."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """Which assignments count; every part that is not None narrows."""

    period: Period
    tier: int | None = None
    engineer_id: EngineerId | None = None
    customer: str | None = None
    equipment_model: str | None = None

    @property
    def as_parameters(self) -> tuple[object, ...]:
        """What each statement begins with."""
        of = self.period
        return of.start, of.until, self.tier, self.engineer_id, self.customer, self.equipment_model


@dataclass(frozen=True, slots=True)
class EscalationCount:
    """So many tickets went up so often."""

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
    """None where nothing was counted."""

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
    """By a name, which is None where it is not known."""

    name: str | None
    assignments: int
    time_spent_hours: Decimal


@dataclass(frozen=True, slots=True)
class SeriesPart:
    """`start` is the first day of the part, in the time zone that was asked for."""

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


async def ticket_figures(conn: Connection, wanted: ReportFilter) -> TicketFigures:
    return TicketFigures(await _TICKETS.all(conn, *wanted.as_parameters))


async def escalations_by_tier(conn: Connection, wanted: ReportFilter) -> list[EscalationPath]:
    return await _ESCALATIONS.all(conn, *wanted.as_parameters)


async def work_of_engineers(conn: Connection, wanted: ReportFilter) -> list[EngineerWork]:
    """In any order."""
    return await _ENGINEERS.all(conn, *wanted.as_parameters)


async def time_to_accept(conn: Connection, wanted: ReportFilter) -> Durations:
    return await _TO_ACCEPT.one(conn, *wanted.as_parameters)


async def time_to_resolve(conn: Connection, wanted: ReportFilter) -> Durations:
    return await _TO_RESOLVE.one(conn, *wanted.as_parameters)


async def outcomes(conn: Connection, wanted: ReportFilter) -> list[OutcomeCount]:
    return await _OUTCOMES.all(conn, *wanted.as_parameters)


async def rejections_by_reason(conn: Connection, wanted: ReportFilter) -> list[ReasonCount]:
    """The most frequent first, MOST_REASONS of them."""
    return await _REJECTIONS.all(conn, *wanted.as_parameters, MOST_REASONS)


async def time_by_tier(conn: Connection, wanted: ReportFilter) -> list[TierTime]:
    return await _BY_TIER.all(conn, *wanted.as_parameters)


async def time_by_equipment_model(conn: Connection, wanted: ReportFilter) -> list[TimeSpent]:
    """In any order."""
    return await _BY_MODEL.all(conn, *wanted.as_parameters)


async def time_by_customer(conn: Connection, wanted: ReportFilter) -> list[TimeSpent]:
    """In any order."""
    return await _BY_CUSTOMER.all(conn, *wanted.as_parameters)


async def series(conn: Connection, wanted: ReportFilter, unit: Unit, time_zone: str) -> list[SeriesPart]:
    """Every part that the period touches. The database must know the time zone."""
    return await _SERIES.all(conn, *wanted.as_parameters, unit, time_zone)


def _ratio(part: int, whole: int) -> Decimal | None:
    return (Decimal(part) / whole).quantize(_FOUR_PLACES, ROUND_HALF_UP) if whole else None
