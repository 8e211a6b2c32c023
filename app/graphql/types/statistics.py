"""Figures over a period, each group computed only where it is asked for."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from datetime import date
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
from app.graphql.arguments import argument, optional
from app.graphql.fields import batched_field
from app.graphql.pagination import DEFAULT_PAGE, After, Connection, First, Page, number, page_of
from app.graphql.types.ticket import Engineer, engineers_of, field, type_for
from app.queries import server, statistics
from app.queries.statistics import ReportFilter, Unit

T = TypeVar("T")

_name = values.text(values.SHORT)


@dataclasses.dataclass(frozen=True, slots=True)
class StatisticsQuery:
    """What figures are of. One statement runs at a time, so that a report leaves connections to others."""

    reads: Database | ReadRoute
    wanted: ReportFilter
    _turn: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)

    async def read(self, figures: Callable[..., Awaitable[T]], *more: object) -> T:
        """`figures` takes a connection, what is wanted, and `more`."""
        async with self._turn, self.reads.connection() as conn, server.planned_for_values(conn):
            return await figures(conn, self.wanted, *more)


@strawberry.input(description="Every part that is given narrows the figures.")
class StatisticsFilter:
    tier: int | None = field("Only assignments at this tier.")
    engineer_id: ID | None = field("Only assignments of this engineer.")
    customer: str | None = field("Only tickets of the customer with exactly this name.")
    equipment_model: str | None = field("Only devices of exactly this model.")


def statistics_filter(
    period: Period, given: StatisticsFilter | None, only: EngineerId | None
) -> ReportFilter:
    """`only` is the engineer to whose own the reader is confined; None for one who reads all."""
    if given is None:
        return ReportFilter(period, engineer_id=only)
    engineer_id = optional(values.engineer_id, "engineerId", given.engineer_id)
    if only is not None:
        engineer_id = only if engineer_id in (None, only) else NOBODY
    return ReportFilter(
        period,
        tier=optional(values.tier, "tier", given.tier),
        engineer_id=engineer_id,
        customer=optional(_name, "customer", given.customer),
        equipment_model=optional(_name, "equipmentModel", given.equipment_model),
    )


@type_for(statistics.EscalationCount, "How many tickets went up so often.")
class EscalationCount:
    escalations: int = field("How often: 0, 1, 2, …")
    tickets: int = field("How many tickets.")


@type_for(
    statistics.TicketFigures,
    "The tickets that were reported in the period, and how often they went up until now.",
)
class TicketFigures:
    tickets: int = field("How many.")
    escalated: int = field("How many of them went up at least once.")
    escalated_share: Decimal | None = field(
        "The part that went up: 0 to 1, four decimals; null without tickets."
    )
    average_escalations: Decimal | None = field(
        "Escalations per ticket, four decimals; null without tickets."
    )
    by_escalations: list[EscalationCount] = field("How many went up how often, the fewest first.")


@type_for(
    statistics.EscalationPath, "Escalations of the period from one tier to another, by when they happened."
)
class EscalationPath:
    from_tier: int = field("The tier that could not solve it.")
    to_tier: int | None = field("The tier that was asked next; null where an old record does not say.")
    manual: int = field("How many a person decided on.")
    automatic: int = field("How many a rule decided on.")


@type_for(statistics.EngineerWork, "What one engineer did.")
class EngineerWork:
    assignments: int = field("How often they were given a ticket in the period.")
    accepted: int = field("How many of those they have accepted since.")
    mean_seconds_to_accept: Decimal | None = field(
        "From given to accepted on average, three decimals; null where nothing tells. Without old records."
    )
    escalated_to_manually: int = field(
        "How many of those came up from a lower tier because a person said so."
    )
    escalated_to_automatically: int = field("The same because a rule said so.")
    completed: int = field("How many they completed in the period, whatever the outcome.")
    failed: int = field("How many ended without success in the period.")
    rejected: int = field("How many they declined in the period.")
    escalated_from_manually: int = field("How many were handed up in the period because a person said so.")
    escalated_from_automatically: int = field("The same because a rule said so.")
    reassigned: int = field("How many went to a colleague in the period.")
    cancelled: int = field("How many were taken back in the period.")
    time_spent_hours: Decimal = field("Their hours on what ended in the period, two decimals.")

    engineer = batched_field(Engineer, "Who.")(engineers_of)


@type_for(statistics.Durations, "How long something took.")
class Durations:
    counted: int = field("How many took it.")
    left_out: int = field("Old records, which do not tell: they are in none of the other figures.")
    mean_seconds: Decimal | None = field("On average, three decimals; null where nothing was counted.")
    p50_seconds: Decimal | None = field("Half took no longer than this.")
    p95_seconds: Decimal | None = field("95 of 100 took no longer than this.")


@type_for(statistics.OutcomeCount, "How many assignments ended in one way.")
class OutcomeCount:
    status: model.AssignmentStatus = field("How they ended.")
    completion_status: model.CompletionStatus | None = field(
        "How the work came out; null where there was none, or an old record does not say."
    )
    assignments: int = field("How many.")


@type_for(statistics.ReasonCount, "How many assignments were declined for one reason.")
class ReasonCount:
    reason: str | None = field("The reason, as it was typed; null where an old record has none.")
    assignments: int = field("How many.")


@type_for(statistics.TierTime, "The time that one tier took.")
class TierTime:
    tier: int = field("The tier.")
    assignments: int = field("How many of its assignments ended.")
    time_spent_hours: Decimal = field("Their hours, two decimals.")


@type_for(statistics.TimeSpent, "The time that something or somebody took.")
class TimeSpent:
    name: str | None = field("The customer or the model; null for those without.")
    assignments: int = field("How many assignments ended.")
    time_spent_hours: Decimal = field("Their hours, two decimals.")


@type_for(statistics.SeriesPart, "One day, week or month.")
class SeriesPart:
    start: date = field("Its first day. The first and the last part may be cut by the period.")
    tickets: int = field("How many tickets were reported in it.")
    assignments: int = field("How many assignments were given in it.")
    escalations: int = field("How often a ticket went up in it.")
    completed: int = field("How many assignments were completed in it.")
    time_spent_hours: Decimal = field("The hours on what ended in it, two decimals.")


@type_for(
    StatisticsQuery,
    "Figures of a period. Tickets go by when they were reported; assignments by when they were given,"
    " their end and their hours by when they ended.",
)
class Statistics:
    @strawberry.field(description="Tickets, and how often they went up.", graphql_type=TicketFigures)
    async def tickets(root: Parent[StatisticsQuery]) -> statistics.TicketFigures:
        return await root.read(statistics.ticket_figures)

    @strawberry.field(description="Escalations from tier to tier.", graphql_type=list[EscalationPath])
    async def escalations(root: Parent[StatisticsQuery]) -> list[statistics.EscalationPath]:
        return await root.read(statistics.escalations_by_tier)

    @strawberry.field(
        description="Each engineer, the most hours first.", graphql_type=Connection[EngineerWork]
    )
    async def engineers(
        root: Parent[StatisticsQuery], first: First = DEFAULT_PAGE, after: After = None
    ) -> Page[statistics.EngineerWork]:
        found = await root.read(statistics.work_of_engineers)
        return page_of(found, first, after, order=_by_hours_and_id, parts=(number, str))

    @strawberry.field(description="From given to accepted, of what was given.", graphql_type=Durations)
    async def time_to_accept(root: Parent[StatisticsQuery]) -> statistics.Durations:
        return await root.read(statistics.time_to_accept)

    @strawberry.field(
        description="From the ticket's report to success, of what ended with success.", graphql_type=Durations
    )
    async def time_to_resolve(root: Parent[StatisticsQuery]) -> statistics.Durations:
        return await root.read(statistics.time_to_resolve)

    @strawberry.field(description="How assignments ended.", graphql_type=list[OutcomeCount])
    async def outcomes(root: Parent[StatisticsQuery]) -> list[statistics.OutcomeCount]:
        return await root.read(statistics.outcomes)

    @strawberry.field(
        description=f"Why engineers declined: the {statistics.MOST_REASONS} most frequent reasons.",
        graphql_type=list[ReasonCount],
    )
    async def rejections(root: Parent[StatisticsQuery]) -> list[statistics.ReasonCount]:
        return await root.read(statistics.rejections_by_reason)

    @strawberry.field(description="Hours by tier.", graphql_type=list[TierTime])
    async def time_by_tier(root: Parent[StatisticsQuery]) -> list[statistics.TierTime]:
        return await root.read(statistics.time_by_tier)

    @strawberry.field(
        description="Hours by model of the device, the most first.", graphql_type=Connection[TimeSpent]
    )
    async def time_by_equipment_model(
        root: Parent[StatisticsQuery], first: First = DEFAULT_PAGE, after: After = None
    ) -> Page[statistics.TimeSpent]:
        found = await root.read(statistics.time_by_equipment_model)
        return page_of(found, first, after, order=_by_hours_and_name, parts=(number, str))

    @strawberry.field(description="Hours by customer, the most first.", graphql_type=Connection[TimeSpent])
    async def time_by_customer(
        root: Parent[StatisticsQuery], first: First = DEFAULT_PAGE, after: After = None
    ) -> Page[statistics.TimeSpent]:
        found = await root.read(statistics.time_by_customer)
        return page_of(found, first, after, order=_by_hours_and_name, parts=(number, str))

    @strawberry.field(
        description="Day by day, or by weeks or months: every part that the period touches.",
        graphql_type=list[SeriesPart],
    )
    async def series(
        root: Parent[StatisticsQuery],
        unit: Annotated[Unit, strawberry.argument(description="How long a part is.")] = Unit.DAY,
        time_zone: Annotated[
            str, strawberry.argument(description="Whose days they are, such as Europe/Berlin.")
        ] = "UTC",
    ) -> list[statistics.SeriesPart]:
        return await root.read(statistics.series, unit, argument(_time_zone, "timeZone", time_zone))


def _by_hours_and_id(work: statistics.EngineerWork) -> tuple[Decimal, str]:
    return -work.time_spent_hours, str(work.engineer_id)


def _by_hours_and_name(time: statistics.TimeSpent) -> tuple[Decimal, str]:
    # The one without a name is another than one whose name is empty.
    return -time.time_spent_hours, "" if time.name is None else f"={time.name}"


@cache
def time_zones() -> frozenset[str]:
    """Those whose name means the same everywhere."""
    return frozenset(available_timezones() | {"UTC"}) - {"localtime"}


def _time_zone(name: str, value: object) -> str:
    if value not in time_zones():
        raise InvalidInput(name, "must be the name of a time zone, such as Europe/Berlin")
    return str(value)
