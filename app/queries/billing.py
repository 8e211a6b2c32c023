"""The cost of hours and parts; the statements are in sql/queries/billing.sql.

docs/billing.md defines the figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from app.db import sql
from app.domain.declarations import api_field, row_dataclass
from app.domain.model import EngineerId, TicketId
from app.domain.period import Period

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.db.connections import Connection, Tx

LineKey: TypeAlias = "tuple[TicketId, EngineerId, int]"
"""Sort key of a line: ticket, engineer and rate."""

_FETCH_SIZE = 500
"""Lines fetched at once: about 100 kB."""


@dataclass(frozen=True, slots=True)
class BillingFilter:
    """All conditions that are not None must match."""

    period: Period
    customer: str | None = None
    ticket_id: TicketId | None = None

    @property
    def as_parameters(self) -> tuple[object, ...]:
        """The first parameters of every statement."""
        return self.period.start, self.period.until, self.customer, self.ticket_id


@row_dataclass
class BillablePart:
    """A spare part that was installed. Old records may be incomplete."""

    part_number: str | None = api_field("The manufacturer's part number; null if unknown.")
    part_name: str | None = api_field("Name of the part; null if unknown.")
    quantity: int | None = api_field("Number of pieces; null if unknown.")
    price: Decimal | None = api_field("Price of one piece; null if unknown.")
    cost: Decimal | None = api_field("Price of all pieces, with two decimals; null if unknown.")

    @classmethod
    def from_json(cls, part: dict[str, Any]) -> Self:
        price, cost = part["price"], part["cost"]
        return cls(
            part["part_number"],
            part["part_name"],
            part["quantity"],
            None if price is None else Decimal(price),
            None if cost is None else Decimal(cost),
        )


@row_dataclass
class BillableLine:
    """Work of one engineer on one ticket at one hourly rate, ready to be billed."""

    ticket_id: TicketId
    engineer_id: EngineerId
    rate_id: int  # 0 if no rate applies
    assignments: int = api_field("Number of assignments in this line.")
    hours: Decimal | None = api_field("Hours worked, after corrections, two decimals; null if not reported.")
    assignments_without_hours: int = api_field("Assignments without hours; `correctTimeSpent` adds them.")
    hourly_rate: Decimal | None = api_field(
        "Rate when the work ended; null without one, see `setHourlyRate`."
    )
    rate_valid_from: datetime | None = api_field("Start of the rate's validity; null without a rate.")
    labour_cost: Decimal | None = api_field(
        "Product of `hours` and `hourlyRate`, rounded half up to two decimals; null if either is null."
    )
    parts: tuple[BillablePart, ...] = api_field("Parts that were installed.")
    parts_cost: Decimal | None = api_field(
        "Total cost of the parts with a known cost; 0 without parts; null if no part has a known cost."
    )
    parts_without_price: int = api_field("Number of parts without a known cost.")
    cost: Decimal | None = api_field(
        "Sum of `labourCost` and `partsCost`; null while a rate, hours or the cost of a part are missing."
    )
    ticket_number: str
    customer_name: str | None
    engineer_name: str


@row_dataclass
class BillableTimeTotals:
    """Sums over all lines. Null values of lines are not included."""

    lines: int = api_field("Number of lines.")
    lines_without_cost: int = api_field("Number of lines with a `cost` of null.")
    assignments: int = api_field("Number of assignments.")
    hours: Decimal = api_field("Hours worked, with and without a rate.")
    unpriced_hours: Decimal = api_field("Hours of lines without a rate.")
    assignments_without_hours: int = api_field("Number of assignments without reported hours.")
    labour_cost: Decimal = api_field("Sum of `labourCost` of the lines.")
    parts_cost: Decimal = api_field("Sum of `partsCost` of the lines.")
    parts_without_price: int = api_field("Number of parts without a known cost.")
    cost: Decimal = api_field("Sum of `cost` of the lines.")


_LINES = sql.load("billing", "billable_lines", row=BillableLine)
_EVERY_LINE = sql.load("billing", "every_billable_line", row=BillableLine)
_TOTALS = sql.load("billing", "billable_totals", row=BillableTimeTotals)


async def lines(
    conn: Connection, filter: BillingFilter, *, after: LineKey | None, first: int
) -> list[BillableLine]:
    """The first `first` lines after the key `after`."""
    return await _LINES.all(conn, *filter.as_parameters, *(after or (None, None, None)), first)


def every_line(tx: Tx, filter: BillingFilter) -> AsyncGenerator[BillableLine, None]:
    """Stream all lines through a cursor, which the transaction must outlast."""
    return _EVERY_LINE.stream(tx, *filter.as_parameters, batch_size=_FETCH_SIZE)


async def totals(conn: Connection, filter: BillingFilter) -> BillableTimeTotals:
    return await _TOTALS.one(conn, *filter.as_parameters)
