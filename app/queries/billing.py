"""What hours and parts cost; the statements are in sql/queries/billing.sql.

docs/billing.md says what each figure means.
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
"""Where a line stands: ticket, engineer, rate."""

_AT_A_TIME = 500
"""Lines that are fetched at once: some 100 kB."""


@dataclass(frozen=True, slots=True)
class BillingFilter:
    """Whose work is wanted; every part that is not None narrows."""

    period: Period
    customer: str | None = None
    ticket_id: TicketId | None = None

    @property
    def as_parameters(self) -> tuple[object, ...]:
        """What each statement begins with."""
        return self.period.start, self.period.until, self.customer, self.ticket_id


@dataclass(frozen=True, slots=True)
class BillablePart:
    """`price` is of one, `cost` of all. None where an old row does not say it."""

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
    """What one engineer did on one ticket at one rate; `rate_id` is 0 where there was none.

    None is what is not known: hours that nobody told, what has no rate or no price. `cost` is whole or None.
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
    """Each the sum of a column of all lines, without what is None there."""

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
    conn: Connection, wanted: BillingFilter, *, after: LineKey | None, first: int
) -> list[BillableLine]:
    """The page of `first` lines that follows `after`."""
    return await _LINES.all(conn, *wanted.as_parameters, *(after or (None, None, None)), first)


def every_line(tx: Tx, wanted: BillingFilter) -> AsyncGenerator[BillableLine, None]:
    """All lines, as fast as they are taken, in little memory. The transaction must outlast them."""
    return _EVERY_LINE.stream(tx, *wanted.as_parameters, batch_size=_AT_A_TIME)


async def totals(conn: Connection, wanted: BillingFilter) -> BillableTotals:
    return await _TOTALS.one(conn, *wanted.as_parameters)
