"""Statistics equal those of a model in Python."""

import math
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.db.connections import Connection, connect, rolled_back
from app.domain.errors import InvalidInput
from app.domain.period import Period
from app.graphql.types.statistics import time_zones
from app.queries import statistics
from app.queries.statistics import ReportFilter, StatisticsInterval, TicketFigures
from tests.databases import new_database
from tests.queries.history import BEGIN, CUSTOMERS, DAYS, ENGINEERS, MODELS, History, Row, Ticket

MICROSECOND = timedelta(microseconds=1)
CENT = Decimal("0.01")
datetimes = st.integers(-5 * 86_400, (DAYS + 30) * 86_400).map(lambda s: BEGIN + timedelta(seconds=s))
periods = (
    st.tuples(datetimes, datetimes).filter(lambda p: p[0] != p[1]).map(lambda p: Period.between(*sorted(p)))
)
seeds = st.integers(0, 2**32)
filters = st.builds(
    ReportFilter,
    periods,
    tier=st.none() | st.integers(1, 4),
    engineer_id=st.none() | st.sampled_from(ENGINEERS),
    customer=st.none() | st.sampled_from([c for c in CUSTOMERS if c is not None]),
    equipment_model=st.none() | st.sampled_from([m for m in MODELS.values() if m]),
)


@dataclass(frozen=True)
class Model:
    """Finds the matching rows one by one."""

    history: History
    filter: ReportFilter

    def _within(self, at: datetime | None) -> bool:
        return at is not None and self.filter.period.start <= at < self.filter.period.until

    def _matches_assignment(self, row: Row) -> bool:
        filter = self.filter
        return filter.tier in (None, row.assignment_tier) and filter.engineer_id in (None, row.engineer_id)

    def _matches_ticket(self, ticket: Ticket) -> bool:
        filter = self.filter
        return filter.customer in (None, ticket.customer_name) and filter.equipment_model in (
            None,
            MODELS.get(ticket.equipment_id),
        )

    def _matching(self, at: Callable[[Row], datetime | None]) -> list[Row]:
        return [
            row
            for row in self.history.rows
            if self._within(at(row))
            and self._matches_assignment(row)
            and self._matches_ticket(self.history.tickets[row.ticket_id])
        ]

    @property
    def assigned(self) -> list[Row]:
        return self._matching(lambda row: row.assigned_at)

    @property
    def ended(self) -> list[Row]:
        return self._matching(lambda row: row.ended_at)

    @property
    def created(self) -> list[Ticket]:
        rows_of_ticket = defaultdict(list)
        for row in self.history.rows:
            rows_of_ticket[row.ticket_id].append(row)
        is_unfiltered = self.filter.tier is None and self.filter.engineer_id is None
        return [
            ticket
            for ticket in self.history.tickets.values()
            if self._within(ticket.created_at)
            and self._matches_ticket(ticket)
            and (is_unfiltered or any(map(self._matches_assignment, rows_of_ticket[ticket.id])))
        ]

    def is_automatic(self, row: Row) -> bool:
        next_row = self.history.next_of(row)
        return next_row is not None and next_row.assignment_type == "auto"


def hours(rows: Iterable[Row]) -> Decimal:
    return sum((row.time_spent_hours for row in rows if row.time_spent_hours is not None), Decimal(0))


def seconds(duration: timedelta) -> Decimal:
    return Decimal(duration // MICROSECOND) / 1_000_000


def three_places(number: Decimal) -> Decimal:
    return number.quantize(Decimal("0.001"), ROUND_HALF_UP)


def durations(took: list[timedelta], left_out: int) -> tuple:
    def rank(share: float) -> Decimal:
        return three_places(seconds(sorted(took)[math.ceil(share * len(took)) - 1]))

    if not took:
        return 0, left_out, None, None, None
    mean = three_places(sum(map(seconds, took)) / len(took))
    return len(took), left_out, mean, rank(0.5), rank(0.95)


@pytest.fixture(scope="module")
async def conn(server: str, template: str) -> AsyncIterator[Connection]:
    async with new_database(server, template) as url, connect(url) as conn:
        yield conn


@asynccontextmanager
async def loaded_history(conn: Connection, seed: int, tickets: int = 50) -> AsyncIterator[History]:
    history = History(seed, tickets)
    async with rolled_back(conn):
        await history.load(conn)
        yield history


@settings(max_examples=60)
@given(seed=seeds, filter=filters)
async def test_figures_equal_the_model(conn, seed, filter):
    async with loaded_history(conn, seed) as history:
        model = Model(history, filter)
        await tickets_agree(conn, model)
        await escalations_agree(conn, model)
        await engineers_agree(conn, model)
        await durations_agree(conn, model)
        await endings_agree(conn, model)
        await hours_agree(conn, model)


async def tickets_agree(conn, model):
    escalations = Counter(row.ticket_id for row in model.history.rows if row.status == "escalated")
    counts = [escalations[ticket.id] for ticket in model.created]
    result = await statistics.ticket_figures(conn, model.filter)
    assert [(c.escalations, c.tickets) for c in result.by_escalations] == sorted(Counter(counts).items())
    assert (result.tickets, result.escalated) == (len(counts), sum(count > 0 for count in counts))
    if counts:
        expected = Decimal(sum(counts)) / len(counts)
        assert abs(result.average_escalations - expected) <= Decimal("0.00005")
        assert abs(result.escalated_share - Decimal(result.escalated) / len(counts)) <= Decimal("0.00005")


async def escalations_agree(conn, model):
    paths = Counter()
    for row in model.ended:
        if row.status == "escalated":
            next_row = model.history.next_of(row)
            to_tier = None if next_row is None else next_row.assignment_tier
            paths[row.assignment_tier, to_tier, model.is_automatic(row)] += 1
    result = Counter()
    for path in await statistics.escalations_by_tier(conn, model.filter):
        result[path.from_tier, path.to_tier, False] += path.manual
        result[path.from_tier, path.to_tier, True] += path.automatic
    assert +result == paths


async def engineers_agree(conn, model):
    expected = defaultdict(Counter)
    waits = defaultdict(list)
    for row in model.assigned:
        counts = expected[row.engineer_id]
        counts["assignments"] += 1
        counts["accepted"] += row.accepted_at is not None
        previous = model.history.previous_of(row)
        if previous is not None and previous.status == "escalated":
            counts["to automatically" if row.assignment_type == "auto" else "to manually"] += 1
        if row.origin == "live" and row.accepted_at is not None:
            waits[row.engineer_id].append(seconds(row.accepted_at - row.assigned_at))
    for row in model.ended:
        counts = expected[row.engineer_id]
        kind = row.status
        next_row = model.history.next_of(row)
        if kind == "escalated":
            kind = "from automatically" if model.is_automatic(row) else "from manually"
        elif kind == "cancelled" and next_row is not None and next_row.assignment_type == "reassignment":
            kind = "reassigned"
        counts[kind] += 1
        counts["cents"] += int((row.time_spent_hours or 0) * 100)
    result = await statistics.work_of_engineers(conn, model.filter)
    assert {
        work.engineer_id: Counter(
            {
                "assignments": work.assignments,
                "accepted": work.accepted,
                "to manually": work.escalated_to_manually,
                "to automatically": work.escalated_to_automatically,
                "completed": work.completed,
                "failed": work.failed,
                "rejected": work.rejected,
                "from manually": work.escalated_from_manually,
                "from automatically": work.escalated_from_automatically,
                "reassigned": work.reassigned,
                "cancelled": work.cancelled,
                "cents": int(work.time_spent_hours * 100),
            }
        )
        for work in result
    } == expected
    assert {work.engineer_id: work.mean_seconds_to_accept for work in result} == {
        engineer: three_places(sum(waits[engineer]) / len(waits[engineer])) if waits[engineer] else None
        for engineer in expected
    }


async def durations_agree(conn, model):
    live = [row for row in model.assigned if row.origin == "live"]
    waited = [row.accepted_at - row.assigned_at for row in live if row.accepted_at is not None]
    assert durations(waited, len(model.assigned) - len(live)) == values_of(
        await statistics.time_to_accept(conn, model.filter)
    )
    done = [row for row in model.ended if row.status == "completed"]
    took = [
        row.completed_at - model.history.tickets[row.ticket_id].created_at
        for row in done
        if row.origin == "live" and row.completion_status == "success"
    ]
    assert durations(took, sum(row.origin != "live" for row in done)) == values_of(
        await statistics.time_to_resolve(conn, model.filter)
    )


def values_of(result):
    return result.counted, result.left_out, result.mean_seconds, result.p50_seconds, result.p95_seconds


async def endings_agree(conn, model):
    result = await statistics.outcomes(conn, model.filter)
    assert {(o.status, o.completion_status): o.assignments for o in result} == Counter(
        (row.status, row.completion_status) for row in model.ended
    )
    reasons = await statistics.rejections_by_reason(conn, model.filter)
    assert {r.reason: r.assignments for r in reasons} == Counter(
        row.rejection_reason for row in model.ended if row.status == "rejected"
    )
    counts = [r.assignments for r in reasons]
    assert counts == sorted(counts, reverse=True)


async def hours_agree(conn, model):
    def by(key):
        rows = defaultdict(list)
        for row in model.ended:
            rows[key(row)].append(row)
        return {k: (len(of), hours(of)) for k, of in rows.items()}

    tiers = await statistics.time_by_tier(conn, model.filter)
    assert {t.tier: (t.assignments, t.time_spent_hours) for t in tiers} == by(lambda row: row.assignment_tier)
    for read, key in (
        (statistics.time_by_equipment_model, lambda row: MODELS.get(row.equipment_id)),
        (statistics.time_by_customer, lambda row: model.history.tickets[row.ticket_id].customer_name),
    ):
        result = await read(conn, model.filter)
        assert {t.name: (t.assignments, t.time_spent_hours) for t in result} == by(key)
        assert len(result) == len({t.name for t in result})


@settings(max_examples=60)
@given(
    seed=seeds,
    filter=st.builds(ReportFilter, periods),
    unit=st.sampled_from(StatisticsInterval),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu"]),
)
async def test_series_follows_the_calendar_of_the_time_zone(conn, seed, filter, unit, zone):
    async with loaded_history(conn, seed) as history:
        result = await statistics.series(conn, filter, unit, zone)
    model = Model(history, filter)

    def part(at):
        day = at.astimezone(ZoneInfo(zone)).date()
        return {
            StatisticsInterval.DAY: day,
            StatisticsInterval.WEEK: day - timedelta(days=day.weekday()),
            StatisticsInterval.MONTH: day.replace(day=1),
        }[unit]

    expected = defaultdict(lambda: [0, 0, 0, 0, Decimal(0)])
    at, last = filter.period.start, part(filter.period.until - MICROSECOND)
    while part(at) <= last:
        expected[part(at)]
        at += timedelta(days=1)
    expected[last]
    for ticket in model.created:
        expected[part(ticket.created_at)][0] += 1
    for row in model.assigned:
        expected[part(row.assigned_at)][1] += 1
    for row in model.ended:
        counts = expected[part(row.ended_at)]
        counts[2] += row.status == "escalated"
        counts[3] += row.status == "completed"
        counts[4] += row.time_spent_hours or 0
    assert [p.start for p in result] == sorted(expected)
    assert {
        p.start: [p.tickets, p.assignments, p.escalations, p.completed, p.time_spent_hours] for p in result
    } == expected


async def test_adjacent_periods_count_everything_once(conn):
    async with loaded_history(conn, seed=7) as history:
        # The periods are cut at times of events.
        happened = {row.assigned_at for row in history.rows} | {row.ended_at for row in history.rows}
        cuts = sorted(happened - {None} | {ticket.created_at for ticket in history.tickets.values()})[::10]
        whole, *parts = (ReportFilter(Period.between(*of)) for of in [(cuts[0], cuts[-1]), *pairwise(cuts)])
        for count in (created, assigned, ended):
            total, *subtotals = [await count(conn, filter) for filter in (whole, *parts)]
            assert total == sum(subtotals) > 0


async def created(conn, filter):
    return (await statistics.ticket_figures(conn, filter)).tickets


async def assigned(conn, filter):
    return sum(work.assignments for work in await statistics.work_of_engineers(conn, filter))


async def ended(conn, filter):
    return sum(outcome.assignments for outcome in await statistics.outcomes(conn, filter))


async def test_database_knows_every_accepted_time_zone(conn):
    known = {name for (name,) in await conn.fetch("SELECT name FROM pg_timezone_names")}
    assert time_zones() - known == set()


def test_ratios_without_tickets_are_none():
    assert (TicketFigures.of([]).escalated_share, TicketFigures.of([]).average_escalations) == (None, None)


@pytest.mark.parametrize(
    ("start", "until", "field"),
    [
        (datetime(2026, 1, 1), datetime(2026, 2, 1, tzinfo=UTC), "from"),  # noqa: DTZ001 - a time without a zone is the point
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1), "to"),  # noqa: DTZ001
        (BEGIN, BEGIN, "to"),
        (BEGIN, BEGIN - MICROSECOND, "to"),
        (BEGIN, BEGIN + timedelta(days=366) + MICROSECOND, "to"),
        (datetime.min.replace(tzinfo=ZoneInfo("Asia/Tokyo")), BEGIN, "from"),
    ],
)
def test_invalid_period_is_refused(start, until, field):
    with pytest.raises(InvalidInput) as refused:
        Period.between(start, until)
    assert refused.value.field == field
