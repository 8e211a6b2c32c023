"""Every figure, beside what plain Python makes of the same rows."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.db.connections import connect
from app.domain.errors import InvalidInput
from app.domain.period import Period
from app.graphql.types.statistics import time_zones
from app.queries import statistics
from app.queries.statistics import ReportFilter, TicketFigures, Unit
from tests.databases import new_database
from tests.queries.history import BEGIN, CUSTOMERS, DAYS, ENGINEERS, MODELS, History

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from app.db.connections import Connection
    from tests.queries.history import Row, Ticket

MICROSECOND = timedelta(microseconds=1)
CENT = Decimal("0.01")
moments = st.integers(-5 * 86_400, (DAYS + 30) * 86_400).map(lambda s: BEGIN + timedelta(seconds=s))
periods = st.tuples(moments, moments).filter(lambda p: p[0] != p[1]).map(lambda p: Period.between(*sorted(p)))
seeds = st.integers(0, 2**32)
wishes = st.builds(
    ReportFilter,
    periods,
    tier=st.none() | st.integers(1, 4),
    engineer_id=st.none() | st.sampled_from(ENGINEERS),
    customer=st.none() | st.sampled_from([c for c in CUSTOMERS if c is not None]),
    equipment_model=st.none() | st.sampled_from([m for m in MODELS.values() if m]),
)


@dataclass(frozen=True)
class Model:
    """The rows that are wanted, found one by one."""

    history: History
    wanted: ReportFilter

    def _within(self, at: datetime | None) -> bool:
        return at is not None and self.wanted.period.start <= at < self.wanted.period.until

    def _of_turn(self, row: Row) -> bool:
        wanted = self.wanted
        return wanted.tier in (None, row.assignment_tier) and wanted.engineer_id in (None, row.engineer_id)

    def _of_ticket(self, ticket: Ticket) -> bool:
        wanted = self.wanted
        return wanted.customer in (None, ticket.customer_name) and wanted.equipment_model in (
            None,
            MODELS.get(ticket.equipment_id),
        )

    def _matching(self, at: Callable[[Row], datetime | None]) -> list[Row]:
        return [
            row
            for row in self.history.rows
            if self._within(at(row))
            and self._of_turn(row)
            and self._of_ticket(self.history.tickets[row.ticket_id])
        ]

    @property
    def given(self) -> list[Row]:
        return self._matching(lambda row: row.assigned_at)

    @property
    def ended(self) -> list[Row]:
        return self._matching(lambda row: row.ended_at)

    @property
    def reported(self) -> list[Ticket]:
        turns = defaultdict(list)
        for row in self.history.rows:
            turns[row.ticket_id].append(row)
        everybody = self.wanted.tier is None and self.wanted.engineer_id is None
        return [
            ticket
            for ticket in self.history.tickets.values()
            if self._within(ticket.created_at)
            and self._of_ticket(ticket)
            and (everybody or any(map(self._of_turn, turns[ticket.id])))
        ]

    def automatic(self, row: Row) -> bool:
        following = self.history.next_of(row)
        return following is not None and following.assignment_type == "auto"


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
async def there_is(conn: Connection, seed: int, tickets: int = 50) -> AsyncIterator[History]:
    transaction = conn.transaction()
    await transaction.start()
    history = History(seed, tickets)
    await history.load(conn)
    yield history
    await transaction.rollback()


@settings(max_examples=60)
@given(seed=seeds, wanted=wishes)
async def test_every_figure_is_what_its_rows_say(conn, seed, wanted):
    async with there_is(conn, seed) as history:
        model = Model(history, wanted)
        await tickets_agree(conn, model)
        await escalations_agree(conn, model)
        await engineers_agree(conn, model)
        await durations_agree(conn, model)
        await endings_agree(conn, model)
        await hours_agree(conn, model)


async def tickets_agree(conn, model):
    escalations = Counter(row.ticket_id for row in model.history.rows if row.status == "escalated")
    counts = [escalations[ticket.id] for ticket in model.reported]
    found = await statistics.ticket_figures(conn, model.wanted)
    assert [(c.escalations, c.tickets) for c in found.by_escalations] == sorted(Counter(counts).items())
    assert (found.tickets, found.escalated) == (len(counts), sum(count > 0 for count in counts))
    if counts:
        expected = Decimal(sum(counts)) / len(counts)
        assert abs(found.average_escalations - expected) <= Decimal("0.00005")
        assert abs(found.escalated_share - Decimal(found.escalated) / len(counts)) <= Decimal("0.00005")


async def escalations_agree(conn, model):
    paths = Counter()
    for row in model.ended:
        if row.status == "escalated":
            following = model.history.next_of(row)
            to_tier = None if following is None else following.assignment_tier
            paths[row.assignment_tier, to_tier, model.automatic(row)] += 1
    found = Counter()
    for path in await statistics.escalations_by_tier(conn, model.wanted):
        found[path.from_tier, path.to_tier, False] += path.manual
        found[path.from_tier, path.to_tier, True] += path.automatic
    assert +found == paths


async def engineers_agree(conn, model):
    expected = defaultdict(Counter)
    waits = defaultdict(list)
    for row in model.given:
        of = expected[row.engineer_id]
        of["assignments"] += 1
        of["accepted"] += row.accepted_at is not None
        before = model.history.before(row)
        if before is not None and before.status == "escalated":
            of["to by rule" if row.assignment_type == "auto" else "to by person"] += 1
        if row.origin == "live" and row.accepted_at is not None:
            waits[row.engineer_id].append(seconds(row.accepted_at - row.assigned_at))
    for row in model.ended:
        of = expected[row.engineer_id]
        kind = row.status
        following = model.history.next_of(row)
        if kind == "escalated":
            kind = "from by rule" if model.automatic(row) else "from by person"
        elif kind == "cancelled" and following is not None and following.assignment_type == "reassignment":
            kind = "reassigned"
        of[kind] += 1
        of["cents"] += int((row.time_spent_hours or 0) * 100)
    found = await statistics.work_of_engineers(conn, model.wanted)
    assert {
        work.engineer_id: Counter(
            {
                "assignments": work.assignments,
                "accepted": work.accepted,
                "to by person": work.escalated_to_manually,
                "to by rule": work.escalated_to_automatically,
                "completed": work.completed,
                "failed": work.failed,
                "rejected": work.rejected,
                "from by person": work.escalated_from_manually,
                "from by rule": work.escalated_from_automatically,
                "reassigned": work.reassigned,
                "cancelled": work.cancelled,
                "cents": int(work.time_spent_hours * 100),
            }
        )
        for work in found
    } == expected
    assert {work.engineer_id: work.mean_seconds_to_accept for work in found} == {
        engineer: three_places(sum(waits[engineer]) / len(waits[engineer])) if waits[engineer] else None
        for engineer in expected
    }


async def durations_agree(conn, model):
    live = [row for row in model.given if row.origin == "live"]
    waited = [row.accepted_at - row.assigned_at for row in live if row.accepted_at is not None]
    assert durations(waited, len(model.given) - len(live)) == values_of(
        await statistics.time_to_accept(conn, model.wanted)
    )
    done = [row for row in model.ended if row.status == "completed"]
    took = [
        row.completed_at - model.history.tickets[row.ticket_id].created_at
        for row in done
        if row.origin == "live" and row.completion_status == "success"
    ]
    assert durations(took, sum(row.origin != "live" for row in done)) == values_of(
        await statistics.time_to_resolve(conn, model.wanted)
    )


def values_of(found):
    return found.counted, found.left_out, found.mean_seconds, found.p50_seconds, found.p95_seconds


async def endings_agree(conn, model):
    found = await statistics.outcomes(conn, model.wanted)
    assert {(o.status, o.completion_status): o.assignments for o in found} == Counter(
        (row.status, row.completion_status) for row in model.ended
    )
    reasons = await statistics.rejections_by_reason(conn, model.wanted)
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

    tiers = await statistics.time_by_tier(conn, model.wanted)
    assert {t.tier: (t.assignments, t.time_spent_hours) for t in tiers} == by(lambda row: row.assignment_tier)
    for read, key in (
        (statistics.time_by_equipment_model, lambda row: MODELS.get(row.equipment_id)),
        (statistics.time_by_customer, lambda row: model.history.tickets[row.ticket_id].customer_name),
    ):
        found = await read(conn, model.wanted)
        assert {t.name: (t.assignments, t.time_spent_hours) for t in found} == by(key)
        assert len(found) == len({t.name for t in found})


@settings(max_examples=60)
@given(
    seed=seeds,
    wanted=st.builds(ReportFilter, periods),
    unit=st.sampled_from(Unit),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu"]),
)
async def test_a_series_is_a_calendar_of_its_time_zone(conn, seed, wanted, unit, zone):
    async with there_is(conn, seed) as history:
        found = await statistics.series(conn, wanted, unit, zone)
    model = Model(history, wanted)

    def part(at):
        day = at.astimezone(ZoneInfo(zone)).date()
        return {
            Unit.DAY: day,
            Unit.WEEK: day - timedelta(days=day.weekday()),
            Unit.MONTH: day.replace(day=1),
        }[unit]

    expected = defaultdict(lambda: [0, 0, 0, 0, Decimal(0)])
    at, last = wanted.period.start, part(wanted.period.until - MICROSECOND)
    while part(at) <= last:
        expected[part(at)]
        at += timedelta(days=1)
    expected[last]
    for ticket in model.reported:
        expected[part(ticket.created_at)][0] += 1
    for row in model.given:
        expected[part(row.assigned_at)][1] += 1
    for row in model.ended:
        counts = expected[part(row.ended_at)]
        counts[2] += row.status == "escalated"
        counts[3] += row.status == "completed"
        counts[4] += row.time_spent_hours or 0
    assert [p.start for p in found] == sorted(expected)
    assert {
        p.start: [p.tickets, p.assignments, p.escalations, p.completed, p.time_spent_hours] for p in found
    } == expected


async def test_periods_that_follow_one_another_count_everything_once(conn):
    async with there_is(conn, seed=7) as history:
        # Where one ends and the next begins, something happens.
        happened = {row.assigned_at for row in history.rows} | {row.ended_at for row in history.rows}
        cuts = sorted(happened - {None} | {ticket.created_at for ticket in history.tickets.values()})[::10]
        whole, *parts = (ReportFilter(Period.between(*of)) for of in [(cuts[0], cuts[-1]), *pairwise(cuts)])
        for count in (reported, given_out, ended):
            at_once, *pieces = [await count(conn, of) for of in (whole, *parts)]
            assert at_once == sum(pieces) > 0


async def reported(conn, wanted):
    return (await statistics.ticket_figures(conn, wanted)).tickets


async def given_out(conn, wanted):
    return sum(work.assignments for work in await statistics.work_of_engineers(conn, wanted))


async def ended(conn, wanted):
    return sum(outcome.assignments for outcome in await statistics.outcomes(conn, wanted))


async def test_the_database_knows_every_time_zone_that_is_let_through(conn):
    known = {name for (name,) in await conn.fetch("SELECT name FROM pg_timezone_names")}
    assert time_zones() - known == set()


def test_without_tickets_nothing_is_divided():
    assert (TicketFigures([]).escalated_share, TicketFigures([]).average_escalations) == (None, None)


@pytest.mark.parametrize(
    ("start", "until", "field"),
    [
        (datetime(2026, 1, 1), datetime(2026, 2, 1, tzinfo=UTC), "from"),  # noqa: DTZ001 - that is the point
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1), "to"),  # noqa: DTZ001
        (BEGIN, BEGIN, "to"),
        (BEGIN, BEGIN - MICROSECOND, "to"),
        (BEGIN, BEGIN + timedelta(days=366) + MICROSECOND, "to"),
        (datetime.min.replace(tzinfo=ZoneInfo("Asia/Tokyo")), BEGIN, "from"),
    ],
)
def test_a_period_has_a_beginning_and_an_end(start, until, field):
    with pytest.raises(InvalidInput) as refused:
        Period.between(start, until)
    assert refused.value.field == field
