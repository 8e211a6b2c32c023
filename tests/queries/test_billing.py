"""Billing lines and totals equal those of a model in Python."""

import re
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import astuple, dataclass, fields
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.db.connections import Connection, connect, rolled_back
from app.domain.period import Period
from app.queries import billing
from app.queries.billing import BillableLine, BillableTimeTotals, BillingFilter
from tests.databases import new_database
from tests.queries.history import BEGIN, CUSTOMERS, DAYS, ENGINEERS, History, Row
from tests.queries.test_plans import TEXT, parts

CENT = Decimal("0.01")
datetimes = st.integers(-5 * 86_400, (DAYS + 30) * 86_400).map(lambda s: BEGIN + timedelta(seconds=s))
periods = (
    st.tuples(datetimes, datetimes).filter(lambda p: p[0] != p[1]).map(lambda p: Period.between(*sorted(p)))
)
filters = st.builds(
    BillingFilter,
    periods,
    customer=st.none() | st.sampled_from([c for c in CUSTOMERS if c is not None]),
    ticket_id=st.none() | st.integers(0, 99).map("T-{}".format),
)


@dataclass(frozen=True)
class Rate:
    """Often has the same `valid_from` as another rate, which it corrects."""

    engineer_id: Any
    valid_from: datetime
    hourly_rate: Decimal


RATES = st.lists(
    st.builds(
        Rate,
        st.sampled_from(ENGINEERS[:-1]),  # the last one never has a rate
        st.integers(-10, DAYS // 10).map(lambda n: BEGIN + timedelta(days=10 * n)),
        st.decimals(0, 300, places=2),
    ),
    max_size=15,
)


def cents(number: Decimal) -> Decimal:
    return number.quantize(CENT, ROUND_HALF_UP)


def part_cost(part: dict[str, Any]) -> Decimal | None:
    quantity, price = str(part.get("quantity")), str(part.get("cost"))
    if re.fullmatch(r"\d+", quantity) and re.fullmatch(r"\d+(\.\d+)?", price):
        return cents(int(quantity) * Decimal(price))
    return None


def total(values: list[Decimal | None]) -> Decimal | None:
    known = [value for value in values if value is not None]
    return sum(known, Decimal(0)) if known else None


@dataclass(frozen=True)
class Model:
    history: History
    rates: list[Rate]
    filter: BillingFilter

    def rate_of(self, row: Row) -> int | None:
        """The index of the rate that applies. Of equal `valid_from`, the last applies."""
        valid = [
            (rate.valid_from, n)
            for n, rate in enumerate(self.rates)
            if rate.engineer_id == row.engineer_id and rate.valid_from <= row.ended_at
        ]
        return max(valid)[1] if valid else None

    def is_billable(self, row: Row) -> bool:
        ticket, filter = self.history.tickets[row.ticket_id], self.filter
        return (
            row.ended_at is not None
            and filter.period.start <= row.ended_at < filter.period.until
            and filter.customer in (None, ticket.customer_name)
            and filter.ticket_id in (None, row.ticket_id)
            and (
                row.status in ("completed", "failed")
                or row.time_spent_hours is not None
                or row.parts_used != "[]"
            )
        )

    def lines(self) -> list[tuple[Any, ...]]:
        rows_of_line = defaultdict(list)
        for row in filter(self.is_billable, self.history.rows):
            rows_of_line[row.ticket_id, row.engineer_id, self.rate_of(row)].append(row)
        keys = sorted(rows_of_line, key=lambda key: (*key[:2], -1 if key[2] is None else key[2]))
        return [self.line(*key, rows_of_line[key]) for key in keys]

    def line(self, ticket: str, engineer: Any, number: int | None, rows: list[Row]) -> tuple[Any, ...]:
        rate = None if number is None else self.rates[number]
        hours = total([row.time_spent_hours for row in rows])
        parts = [part_cost(part) for row in rows for part in orjson.loads(row.parts_used)]
        labour = None if rate is None or hours is None else cents(hours * rate.hourly_rate)
        parts_cost = total(parts) if parts else Decimal(0)
        without_hours = sum(row.time_spent_hours is None for row in rows)
        is_complete = labour is not None and not without_hours and None not in parts
        return (
            ticket,
            engineer,
            None if rate is None else rate.hourly_rate,
            None if rate is None else rate.valid_from,
            len(rows),
            hours,
            without_hours,
            labour,
            parts_cost if not parts or parts_cost is not None else None,
            parts.count(None),
            labour + parts_cost if is_complete else None,
        )


def values_of(line: BillableLine) -> tuple[Any, ...]:
    return (
        line.ticket_id,
        line.engineer_id,
        line.hourly_rate,
        line.rate_valid_from,
        line.assignments,
        line.hours,
        line.assignments_without_hours,
        line.labour_cost,
        line.parts_cost,
        line.parts_without_price,
        line.cost,
    )


@pytest.fixture(scope="module")
async def history() -> History:
    return History(seed=11, tickets=100)


@pytest.fixture(scope="module")
async def conn(server: str, template: str, history: History) -> AsyncIterator[Connection]:
    async with new_database(server, template) as url, connect(url) as conn:
        await history.load(conn)
        yield conn


@settings(max_examples=60)
@given(filter=filters, rates=RATES, page=st.integers(1, 40))
async def test_lines_and_totals_equal_the_model(history, conn, filter, rates, page):
    async with rolled_back(conn):
        rows = [(*astuple(rate), "admin", BEGIN) for rate in rates]
        columns = [*(f.name for f in fields(Rate)), "set_by", "set_at"]
        await conn.copy_records_to_table("hourly_rates", columns=columns, records=rows)
        lines = [line async for line in billing.every_line(conn, filter)]
        model = Model(history, rates, filter).lines()
        assert sorted(map(values_of, lines), key=str) == sorted(model, key=str)
        assert await read_pages(conn, filter, page) == lines
        assert await billing.totals(conn, filter) == sums(lines)


async def read_pages(conn: Connection, filter: BillingFilter, size: int) -> list[BillableLine]:
    lines, after = [], None
    while page := await billing.lines(conn, filter, after=after, first=size):
        assert len(page) <= size
        lines += page
        after = page[-1].ticket_id, page[-1].engineer_id, page[-1].rate_id
    return lines


def sums(lines: list[BillableLine]) -> BillableTimeTotals:
    """The sums of the columns, as in a spreadsheet."""

    def of(values) -> Decimal:
        return total(list(values)) or Decimal(0)

    return BillableTimeTotals(
        lines=len(lines),
        lines_without_cost=sum(line.cost is None for line in lines),
        assignments=sum(line.assignments for line in lines),
        hours=of(line.hours for line in lines),
        unpriced_hours=of(line.hours for line in lines if line.hourly_rate is None),
        assignments_without_hours=sum(line.assignments_without_hours for line in lines),
        labour_cost=of(line.labour_cost for line in lines),
        parts_cost=of(line.parts_cost for line in lines),
        parts_without_price=sum(line.parts_without_price for line in lines),
        cost=of(line.cost for line in lines),
    )


async def test_adjacent_periods_bill_each_assignment_once(history, conn):
    days = [BEGIN + timedelta(days=n) for n in range(0, 181, 20)]
    parts = [BillingFilter(Period.between(a, b)) for a, b in pairwise(days)]
    total_of_all = await billing.totals(conn, BillingFilter(Period.between(days[0], days[-1])))
    totals = [await billing.totals(conn, part) for part in parts]
    assert sum(part.hours for part in totals) == total_of_all.hours > 0
    assert sum(part.assignments for part in totals) == total_of_all.assignments


@pytest.mark.parametrize(
    ("statement", "page"), [("billable_lines", (None, None, None, 100)), ("every_billable_line", ())]
)
async def test_outdated_table_statistics_do_not_slow_the_plan(tx, statement, page):
    """The last ANALYZE was before the month that is billed, as in a table that grows slowly."""
    month = BEGIN + timedelta(days=30), BEGIN + timedelta(days=60)
    await tx.execute("INSERT INTO engineers (id, name) VALUES (gen_random_uuid(), 'Ana')")
    tickets = "INSERT INTO service_tickets (id, ticket_number) SELECT n, n FROM generate_series(1, 900) n"
    await tx.execute(tickets)
    ended = """INSERT INTO engineer_assignments (ticket_id, engineer_id, assignment_sequence, assignment_tier,
            assignment_tier_name, status, assigned_at, completed_at, time_spent_hours, origin)
        SELECT n, e.id, 1, 1, 'OEM', 'completed', $3, $3, 1, 'legacy'
        FROM generate_series($1::int, $2) n CROSS JOIN engineers e"""
    await tx.execute(ended, 1, 3, BEGIN)
    await tx.execute("ANALYZE engineer_assignments")
    await tx.execute(ended, 4, 900, month[0])
    explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {TEXT[f'billing.{statement}']}"
    [explained] = orjson.loads(await tx.fetchval(explain, *month, None, None, *page))
    removed = [part.get("Rows Removed by Join Filter", 0) for part in parts(explained["Plan"])]
    assert sum(removed) < 900
