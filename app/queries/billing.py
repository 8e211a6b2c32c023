"""The cost of hours and parts; the statements are in sql/queries/billing.sql.

docs/billing.md defines the figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from app.db import sql
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


@dataclass(frozen=True, slots=True)
class BillablePart:
    """`price` is that of one piece, `cost` that of all. None if an old row lacks the value."""

    part_number: str | None
    part_name: str | None
    quantity: int | None
    price: Decimal | None
    cost: Decimal | None

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


@dataclass(frozen=True, slots=True)
class BillableLine:
    """The work of one engineer on one ticket at one rate; `rate_id` is 0 if no rate applies.

    Unknown values are None: hours not entered, costs without a rate or a price. `cost` is never partial.
    """

    ticket_id: TicketId
    engineer_id: EngineerId
    rate_id: int
    hourly_rate: Decimal | None
    rate_valid_from: datetime | None
    assignments: int
    hours: Decimal | None
    assignments_without_hours: int
    labour_cost: Decimal | None
    parts_cost: Decimal | None
    parts_without_price: int
    cost: Decimal | None
    parts: tuple[BillablePart, ...]
    ticket_number: str
    customer_name: str | None
    engineer_name: str


@dataclass(frozen=True, slots=True)
class BillableTotals:
    """The sums of all lines; None counts as 0."""

    lines: int
    lines_without_cost: int
    assignments: int
    hours: Decimal
    unpriced_hours: Decimal
    assignments_without_hours: int
    labour_cost: Decimal
    parts_cost: Decimal
    parts_without_price: int
    cost: Decimal


_LINES = sql.load("billing", "billable_lines", row=BillableLine)
_EVERY_LINE = sql.load("billing", "every_billable_line", row=BillableLine)
_TOTALS = sql.load("billing", "billable_totals", row=BillableTotals)


async def lines(
    conn: Connection, filter: BillingFilter, *, after: LineKey | None, first: int
) -> list[BillableLine]:
    """The first `first` lines after the key `after`."""
    return await _LINES.all(conn, *filter.as_parameters, *(after or (None, None, None)), first)


def every_line(tx: Tx, filter: BillingFilter) -> AsyncGenerator[BillableLine, None]:
    """Stream all lines through a cursor, which the transaction must outlast."""
    return _EVERY_LINE.stream(tx, *filter.as_parameters, batch_size=_FETCH_SIZE)


async def totals(conn: Connection, filter: BillingFilter) -> BillableTotals:
    return await _TOTALS.one(conn, *filter.as_parameters)
