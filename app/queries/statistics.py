"""Statistics of a period; the statements are in sql/queries/statistics.sql.

docs/statistics.md defines the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Self, TypeVar

from app.db import sql
from app.domain.declarations import ApiEnum, api_field, row_dataclass
from app.domain.model import AssignmentStatus, CompletionStatus, EngineerId
from app.domain.period import Period

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.db.connections import Connection

Row = TypeVar("Row")

MAX_REASONS = 100
_FOUR_PLACES = Decimal("0.0001")


class StatisticsInterval(ApiEnum):
    """Length of the intervals of a series."""

    DAY = "day", "Days, from midnight to midnight."
    WEEK = "week", "Weeks, from Monday to Sunday."
    MONTH = "month", "Calendar months."


class Unit(ApiEnum):
    """The former name of `StatisticsInterval`: generated Kotlin and Swift code has a `Unit` of its own."""

    DAY = StatisticsInterval.DAY.value, StatisticsInterval.DAY.description
    WEEK = StatisticsInterval.WEEK.value, StatisticsInterval.WEEK.description
    MONTH = StatisticsInterval.MONTH.value, StatisticsInterval.MONTH.description


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


@row_dataclass
class EscalationCount:
    """Number of tickets with a certain number of escalations."""

    escalations: int = api_field("Number of escalations per ticket, 0 or more.")
    tickets: int = api_field("Number of tickets that were escalated so many times.")


@row_dataclass
class TicketFigures:
    """Tickets that were reported in the period, and their escalations until now."""

    tickets: int = api_field("Number of tickets.")
    escalated: int = api_field("Number of tickets that were escalated at least once.")
    escalated_share: Decimal | None = api_field(
        "Escalated share, 0 to 1, four decimals; null without tickets."
    )
    average_escalations: Decimal | None = api_field(
        "Escalations per ticket, four decimals; null without tickets."
    )
    by_escalations: Sequence[EscalationCount] = api_field("Tickets by number of escalations, fewest first.")

    @classmethod
    def of(cls, counts: Sequence[EscalationCount]) -> Self:
        tickets = sum(count.tickets for count in counts)
        escalated = sum(count.tickets for count in counts if count.escalations)
        escalations = sum(count.escalations * count.tickets for count in counts)
        return cls(tickets, escalated, _ratio(escalated, tickets), _ratio(escalations, tickets), counts)


@row_dataclass
class EscalationPath:
    """Escalations in the period from one tier to another."""

    from_tier: int = api_field("Support tier that escalated, 1 to 5.")
    to_tier: int | None = api_field("Next support tier, 1 to 5; null if an old record does not have it.")
    manual: int = api_field("Number of escalations made by a person.")
    automatic: int = api_field("Number of escalations made by a rule.")


@row_dataclass
class EngineerWork:
    """Work of one engineer in the period."""

    engineer_id: EngineerId
    assignments: int = api_field("Number of assignments made in the period.")
    accepted: int = api_field("Number of those assignments that the engineer has accepted by now.")
    mean_seconds_to_accept: Decimal | None = api_field(
        "Average seconds from assignment to acceptance, with three decimals; null if there are none. Old"
        " records are excluded."
    )
    escalated_to_manually: int = api_field("Escalations to the engineer by a person in the period.")
    escalated_to_automatically: int = api_field("Escalations to the engineer by a rule in the period.")
    completed: int = api_field("Number of assignments completed in the period, with any outcome.")
    failed: int = api_field("Number of assignments that failed in the period.")
    rejected: int = api_field("Number of assignments that the engineer rejected in the period.")
    escalated_from_manually: int = api_field("Escalations from the engineer by a person in the period.")
    escalated_from_automatically: int = api_field("Escalations from the engineer by a rule in the period.")
    reassigned: int = api_field("Number of assignments reassigned to another engineer in the period.")
    cancelled: int = api_field("Number of assignments cancelled in the period.")
    time_spent_hours: Decimal = api_field("Hours of assignments that ended in the period, with two decimals.")


@row_dataclass
class Durations:
    """Distribution of a duration, in seconds."""

    counted: int = api_field("Number of durations.")
    left_out: int = api_field(
        "Number of old records without reliable times; excluded from the other figures."
    )
    mean_seconds: Decimal | None = api_field("Average in seconds, three decimals; null if `counted` is 0.")
    p50_seconds: Decimal | None = api_field("Median in seconds, three decimals; null if `counted` is 0.")
    p95_seconds: Decimal | None = api_field(
        "95th percentile in seconds, three decimals; null if `counted` is 0."
    )


@row_dataclass
class OutcomeCount:
    """Number of assignments that ended with a certain outcome."""

    status: AssignmentStatus = api_field("Final status of the assignments.")
    completion_status: CompletionStatus | None = api_field(
        "Outcome of the work; null if there was none, or an old record does not have it."
    )
    assignments: int = api_field("Number of assignments.")


@row_dataclass
class ReasonCount:
    """Number of assignments that were rejected for a certain reason."""

    reason: str | None = api_field("The reason as it was entered; null if an old record has none.")
    assignments: int = api_field("Number of assignments.")


@row_dataclass
class TierTime:
    """Hours of one support tier."""

    tier: int = api_field("Support tier, 1 OEM to 5 Hospital.")
    assignments: int = api_field("Number of assignments that ended in the period.")
    time_spent_hours: Decimal = api_field("Hours of those assignments, with two decimals.")


@row_dataclass
class TimeSpent:
    """Hours of one customer or equipment model."""

    name: str | None = api_field("Name of the customer or model; null for assignments without one.")
    assignments: int = api_field("Number of assignments that ended in the period.")
    time_spent_hours: Decimal = api_field("Hours of those assignments, with two decimals.")


@row_dataclass
class SeriesPart:
    """Figures of one day, week or month."""

    start: date = api_field("First day of the interval. The period may cut the first and the last interval.")
    tickets: int = api_field("Number of tickets reported.")
    assignments: int = api_field("Number of assignments made.")
    escalations: int = api_field("Number of escalations.")
    completed: int = api_field("Number of assignments completed.")
    time_spent_hours: Decimal = api_field("Hours of assignments that ended, with two decimals.")


def _rows(
    statement: str, row: type[Row], *further: object
) -> Callable[[Connection, ReportFilter], Awaitable[list[Row]]]:
    """Make the query that returns all rows of a statement, which takes the filter, then `further`."""
    loaded = sql.load("statistics", statement, row=row)

    async def query(conn: Connection, filter: ReportFilter) -> list[Row]:
        return await loaded.all(conn, *filter.as_parameters, *further)

    return query


_tickets_by_escalations = _rows("tickets_by_escalations", EscalationCount)
escalations_by_tier = _rows("escalations_by_tier", EscalationPath)
outcomes = _rows("outcomes", OutcomeCount)
rejections_by_reason = _rows("rejections_by_reason", ReasonCount, MAX_REASONS)
"""The most frequent reasons, most frequent first."""
time_by_tier = _rows("time_by_tier", TierTime)

# In no particular order:
work_of_engineers = _rows("work_of_engineers", EngineerWork)
time_by_equipment_model = _rows("time_by_equipment_model", TimeSpent)
time_by_customer = _rows("time_by_customer", TimeSpent)

_TO_ACCEPT = sql.load("statistics", "time_to_accept", row=Durations)
_TO_RESOLVE = sql.load("statistics", "time_to_resolve", row=Durations)
_SERIES = sql.load("statistics", "series", row=SeriesPart)


async def ticket_figures(conn: Connection, filter: ReportFilter) -> TicketFigures:
    return TicketFigures.of(await _tickets_by_escalations(conn, filter))


async def time_to_accept(conn: Connection, filter: ReportFilter) -> Durations:
    return await _TO_ACCEPT.one(conn, *filter.as_parameters)


async def time_to_resolve(conn: Connection, filter: ReportFilter) -> Durations:
    return await _TO_RESOLVE.one(conn, *filter.as_parameters)


async def series(
    conn: Connection, filter: ReportFilter, interval: StatisticsInterval, time_zone: str
) -> list[SeriesPart]:
    """All intervals that overlap the period. The database must know the time zone."""
    return await _SERIES.all(conn, *filter.as_parameters, interval, time_zone)


def _ratio(part: int, whole: int) -> Decimal | None:
    return (Decimal(part) / whole).quantize(_FOUR_PLACES, ROUND_HALF_UP) if whole else None
