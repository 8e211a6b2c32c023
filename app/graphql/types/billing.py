"""What hours and parts cost, each figure computed only where it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import strawberry
from strawberry import Parent

from app.db.pool import Database
from app.graphql.batching.fields import edge
from app.graphql.pagination import (
    DEFAULT_PAGE,
    After,
    Connection,
    First,
    Page,
    checked_first,
    key_after,
    row_id,
)
from app.graphql.types.ticket import Engineer, Ticket, engineers_of, said, tickets_of, view_of
from app.queries import billing
from app.queries.billing import Billable, BillableTotals


@dataclass(frozen=True, slots=True)
class Bill:
    """What figures are of."""

    db: Database
    wanted: Billable
    currency: str

    async def totals(self) -> BillableTotals:
        async with self.db.connection() as conn:
            return await billing.totals(conn, self.wanted)


@view_of(billing.BillablePart, "A spare part that was used. Old rows may not say all of it.")
class BillablePart:
    part_number: str | None = said("The maker's number.")
    part_name: str | None = said("What it is.")
    quantity: int | None = said("How many; null where it is not known.")
    price: Decimal | None = said("What one costs; null where it is not known.")
    cost: Decimal | None = said("What all of them cost, two decimals; null where it is not known.")


@view_of(billing.BillableLine, "What one engineer did on one ticket, at one hourly rate.")
class BillableLine:
    assignments: int = said("How many assignments it is made of.")
    hours: Decimal | None = said("Hours worked, as corrected, two decimals; null where none were told.")
    assignments_without_hours: int = said(
        "Assignments that were worked on and tell no hours; correctTimeSpent adds them."
    )
    hourly_rate: Decimal | None = said(
        "The rate when the assignments ended; null where the engineer had none: setHourlyRate sets it."
    )
    rate_valid_from: datetime | None = said("From when on that was the rate; null without one.")
    labour_cost: Decimal | None = said(
        "hours at hourlyRate, rounded half up to two decimals; null without either."
    )
    parts: list[BillablePart] = said("The parts that were used.")
    parts_cost: Decimal | None = said("What they cost, where it is known; null where it is known of none.")
    parts_without_price: int = said("Entries of parts without a price that can be read.")
    cost: Decimal | None = said(
        "labourCost and partsCost together; null as long as a rate, hours or a price is missing."
    )

    ticket = edge(Ticket, "What was worked on.")(tickets_of)
    engineer = edge(Engineer, "Who worked.")(engineers_of)


@view_of(
    BillableTotals, "Each is the sum of that figure over all lines, exactly; what is null there is left out."
)
class BillableTimeTotals:
    lines: int = said("How many lines there are.")
    lines_without_cost: int = said("Lines of which something is not known, and which `cost` leaves out.")
    assignments: int = said("How many assignments they are made of.")
    hours: Decimal = said("Hours worked, those without a rate among them.")
    unpriced_hours: Decimal = said("Hours of lines without a rate.")
    assignments_without_hours: int = said("Assignments that were worked on and tell no hours.")
    labour_cost: Decimal = said("Of all lines that have one.")
    parts_cost: Decimal = said("Of all lines that have one.")
    parts_without_price: int = said("Entries of parts without a price.")
    cost: Decimal = said("Of all lines that have one.")


@view_of(Bill, "What was worked and used up in assignments that ended in a period, and what it costs.")
class BillableTime:
    currency: str = said("What all money is in: three letters of ISO 4217.")

    @strawberry.field(description="All lines together.", graphql_type=BillableTimeTotals)
    async def totals(root: Parent[Bill]) -> BillableTotals:
        return await root.totals()

    @strawberry.field(
        description="By ticket, engineer and hourly rate: an engineer whose rate changed between two"
        " assignments of a ticket has two lines there.",
        graphql_type=Connection[BillableLine],
    )
    async def lines(
        root: Parent[Bill], first: First = DEFAULT_PAGE, after: After = None
    ) -> Page[billing.BillableLine]:
        key = key_after(after, str, UUID, row_id)
        size = checked_first(first)
        async with root.db.connection() as conn:
            found = await billing.lines(conn, root.wanted, after=key, first=size + 1)

        async def count() -> int:
            return (await root.totals()).lines

        return Page(
            found, size, after, key=lambda x: (x.ticket_id, x.engineer_id, str(x.rate_id)), count=count
        )
