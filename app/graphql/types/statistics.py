"""The types Statistics and StatisticsFilter. Each group of figures is computed only if it is selected."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import cache
from typing import Annotated, TypeVar
from zoneinfo import available_timezones

import strawberry
from strawberry import ID, Parent

from app.db.pool import Database
from app.db.replicas import ReadRoute
from app.domain import model, values
from app.domain.errors import InvalidInput
from app.domain.model import EngineerId
from app.domain.period import Period
from app.domain.policy import NOBODY
from app.graphql.arguments import argument, described, optional
from app.graphql.pagination import DEFAULT_PAGE, After, First, Page, PageRequest, page_of_all, parse_decimal
from app.graphql.types.batch_resolvers import load_engineers
from app.graphql.types.declarations import batched_field, field, resolver_field, type_for
from app.queries import server, statistics
from app.queries.statistics import ReportFilter, StatisticsInterval, Unit

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class StatisticsQuery:
    """The object behind Statistics. `lock` is the operation's, so that it occupies one connection."""

    reads: Database | ReadRoute
    filter: ReportFilter
    lock: asyncio.Lock

    async def run(self, query: Callable[..., Awaitable[T]], *arguments: object) -> T:
        """Call `query` with a connection, the filter and `arguments`."""
        async with self.lock, self.reads.connection(heavy=True) as conn, server.planned_for_values(conn):
            return await query(conn, self.filter, *arguments)


@strawberry.input(description="Conditions on assignments and tickets. All given conditions must match.")
class StatisticsFilter:
    tier: int | None = field("Only assignments at this support tier, 1 to 5.")
    engineer_id: ID | None = field("Only assignments of this engineer.")
    customer: str | None = field("Only tickets of the customer with exactly this name.")
    equipment_model: str | None = field("Only equipment with exactly this model name.")


def report_filter(
    period: Period, filter: StatisticsFilter | None, visible_to: EngineerId | None
) -> ReportFilter:
    """Validate the filter and restrict it to the engineer `visible_to`, if any. Raises BadUserInput."""
    if filter is None:
        return ReportFilter(period, engineer_id=visible_to)
    engineer_id = optional(values.engineer_id, "engineerId", filter.engineer_id)
    if visible_to is not None:
        engineer_id = visible_to if engineer_id in (None, visible_to) else NOBODY
    return ReportFilter(
        period,
        tier=optional(values.tier, "tier", filter.tier),
        engineer_id=engineer_id,
        customer=optional(values.exact_text, "customer", filter.customer),
        equipment_model=optional(values.exact_text, "equipmentModel", filter.equipment_model),
    )


@type_for(statistics.EngineerWork)
class EngineerWork:
    engineer = batched_field(model.Engineer, "The engineer with these figures.")(load_engineers)


@type_for(
    StatisticsQuery,
    "Statistics of a period. A ticket counts in the period in which it was reported, an assignment in that in"
    " which it was made, its outcome and hours in that in which it ended.",
)
class Statistics:
    @resolver_field("Tickets, and how often they were escalated.")
    async def tickets(root: Parent[StatisticsQuery]) -> statistics.TicketFigures:
        return await root.run(statistics.ticket_figures)

    @resolver_field("Number of escalations between each pair of tiers.")
    async def escalations(root: Parent[StatisticsQuery]) -> list[statistics.EscalationPath]:
        return await root.run(statistics.escalations_by_tier)

    @resolver_field("Figures of each engineer, most hours first.")
    async def engineers(
        root: Parent[StatisticsQuery], first: First = DEFAULT_PAGE, after: After = None
    ) -> Page[statistics.EngineerWork]:
        rows = await root.run(statistics.work_of_engineers)
        return page_of_all(PageRequest.parse(first, after, parse_decimal, str), rows, _by_hours_and_id)

    @resolver_field("Time from assignment to acceptance, of assignments made in the period.")
    async def time_to_accept(root: Parent[StatisticsQuery]) -> statistics.Durations:
        return await root.run(statistics.time_to_accept)

    @resolver_field(
        "Time from the report of a ticket to its successful completion, of completions in the period."
    )
    async def time_to_resolve(root: Parent[StatisticsQuery]) -> statistics.Durations:
        return await root.run(statistics.time_to_resolve)

    @resolver_field("Number of assignments for each outcome.")
    async def outcomes(root: Parent[StatisticsQuery]) -> list[statistics.OutcomeCount]:
        return await root.run(statistics.outcomes)

    @resolver_field(f"The {statistics.MAX_REASONS} most frequent reasons why engineers rejected assignments.")
    async def rejections(root: Parent[StatisticsQuery]) -> list[statistics.ReasonCount]:
        return await root.run(statistics.rejections_by_reason)

    @resolver_field("Hours for each support tier, lowest tier first.")
    async def time_by_tier(root: Parent[StatisticsQuery]) -> list[statistics.TierTime]:
        return await root.run(statistics.time_by_tier)

    @resolver_field("Hours for each equipment model, most hours first.")
    async def time_by_equipment_model(
        root: Parent[StatisticsQuery], first: First = DEFAULT_PAGE, after: After = None
    ) -> Page[statistics.TimeSpent]:
        rows = await root.run(statistics.time_by_equipment_model)
        return page_of_all(PageRequest.parse(first, after, parse_decimal, str), rows, _by_hours_and_name)

    @resolver_field("Hours for each customer, most hours first.")
    async def time_by_customer(
        root: Parent[StatisticsQuery], first: First = DEFAULT_PAGE, after: After = None
    ) -> Page[statistics.TimeSpent]:
        rows = await root.run(statistics.time_by_customer)
        return page_of_all(PageRequest.parse(first, after, parse_decimal, str), rows, _by_hours_and_name)

    @resolver_field("Figures for each day, week or month that overlaps the period, in order of time.")
    async def series(
        root: Parent[StatisticsQuery],
        interval: Annotated[
            StatisticsInterval | None, described("Length of the intervals; by default that of `unit`.")
        ] = None,
        unit: Annotated[
            Unit,
            strawberry.argument(
                description="Length of the intervals, if `interval` is null.",
                deprecation_reason="Use `interval`: Kotlin and Swift have their own `Unit`."
                " Supported until 2027-12-31.",
            ),
        ] = Unit.DAY,
        time_zone: Annotated[
            str, described("IANA time zone in which days begin, for example Europe/Berlin.")
        ] = "UTC",
    ) -> list[statistics.SeriesPart]:
        time_zone = argument(_validate_time_zone, "timeZone", time_zone)
        return await root.run(statistics.series, interval or StatisticsInterval(unit), time_zone)


def _by_hours_and_id(work: statistics.EngineerWork) -> tuple[Decimal, str]:
    return -work.time_spent_hours, str(work.engineer_id)


def _by_hours_and_name(time: statistics.TimeSpent) -> tuple[Decimal, str]:
    # The prefix keeps an empty name apart from no name.
    return -time.time_spent_hours, "" if time.name is None else f"={time.name}"


@cache
def time_zones() -> frozenset[str]:
    """Return the IANA time zones. "localtime" is left out because it depends on the machine."""
    return frozenset(available_timezones() | {"UTC"}) - {"localtime"}


def _validate_time_zone(name: str, value: object) -> str:
    if value not in time_zones():
        raise InvalidInput(name, "must be the name of a time zone, such as Europe/Berlin")
    return str(value)
