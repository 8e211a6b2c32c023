"""The billing export as CSV (RFC 4180)."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

from app.domain import values
from app.domain.errors import InvalidInput
from app.domain.period import Period
from app.queries.billing import BillingFilter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from app.queries.billing import BillableLine, BillablePart

COLUMNS = (
    "ticket_number", "ticket_id", "customer", "engineer", "engineer_id", "assignments", "hours",
    "assignments_without_hours", "hourly_rate", "rate_valid_from", "labour_cost", "parts", "parts_cost",
    "parts_without_price", "cost", "currency",
)  # fmt: skip
_CHUNK = 64 * 1024
SEPARATORS = (",", ";")
"""Of columns. Spreadsheets in many European languages split at semicolons."""
# A spreadsheet runs a cell as a formula if it starts with = + - @ or a full-width form of these. It may split
# at any of the characters in the first group, even inside quotes, and drop white space and quotes after it.
_UNSAFE_CELL = re.compile(r"(^|[,;\t\n]|\r\n?)(?=[\s\"]*[=+\-@\uff1d\uff0b\uff0d\uff20]|\"*[\t\r])")


@dataclass(frozen=True, slots=True)
class BillingExport:
    filter: BillingFilter
    separator: str


def parse_export(
    start: str, until: str, customer: str | None, ticket_id: str | None, separator: str | None
) -> BillingExport:
    """Validate text from the command line or a URL. Raises InvalidInput."""
    if separator not in (None, *SEPARATORS):
        raise InvalidInput("separator", "must be a comma or a semicolon")
    filter = BillingFilter(
        Period.between(values.parse_datetime("from", start), values.parse_datetime("to", until)),
        customer=None if customer is None else values.exact_text("customer", customer),
        ticket_id=None if ticket_id is None else values.ticket_id("ticketId", ticket_id),
    )
    return BillingExport(filter, separator or SEPARATORS[0])


async def csv_chunks(
    lines: AsyncIterator[BillableLine], currency: str, separator: str
) -> AsyncGenerator[str, None]:
    """Yield the file in chunks of about 64 KiB: a header row, then a row for each line."""
    buffer = StringIO()
    writer = csv.writer(buffer, delimiter=separator)
    writer.writerow(COLUMNS)
    async for line in lines:
        writer.writerow(_row(line, currency))
        if buffer.tell() >= _CHUNK:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _row(line: BillableLine, currency: str) -> tuple[object, ...]:
    """None becomes an empty cell; numbers stay numbers."""
    return (
        _text(line.ticket_number),
        _text(line.ticket_id),
        _text(line.customer_name),
        _text(line.engineer_name),
        line.engineer_id,
        line.assignments,
        line.hours,
        line.assignments_without_hours,
        line.hourly_rate,
        None if line.rate_valid_from is None else line.rate_valid_from.isoformat(),
        line.labour_cost,
        _text("; ".join(map(_part, line.parts))),
        line.parts_cost,
        line.parts_without_price,
        line.cost,
        currency,
    )


def _part(part: BillablePart) -> str:
    quantity = "?" if part.quantity is None else part.quantity
    return f"{quantity} x {part.part_name or '?'} ({part.part_number or '?'})"


def _text(value: str | None) -> str | None:
    """Put an apostrophe wherever a formula could start, so that spreadsheets show it as text."""
    return None if value is None else _UNSAFE_CELL.sub(r"\1'", value)
