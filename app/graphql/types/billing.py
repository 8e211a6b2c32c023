"""What hours and parts cost, each figure computed only where it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import strawberry
from strawberry import Parent

from app.db.pool import Database
from app.graphql.fields import batched_field
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
from app.graphql.types.ticket import Engineer, Ticket, engineers_of, field, tickets_of, type_for
from app.queries import billing
from app.queries.billing import BillableTotals, BillingFilter


@dataclass(frozen=True, slots=True)
class BillingQuery:
    """What figures are of."""

    db: Database
    wanted: BillingFilter
    currency: str

    async def totals(self) -> BillableTotals:
        async with self.db.connection() as conn:
            return await billing.totals(conn, self.wanted)


@type_for(billing.BillablePart, "A spare part that was used. Old rows may not say all of it.")
class BillablePart:
    part_number: str | None = field("The maker's number.")
    part_name: str | None = field("What it is.")
    quantity: int | None = field("How many; null where it is not known.")
    price: Decimal | None = field("What one costs; null where it is not known.")
    cost: Decimal | None = field("What all of them cost, two decimals; null where it is not known.")


@type_for(billing.BillableLine, "What one engineer did on one ticket, at one hourly rate.")
class BillableLine:
    assignments: int = field("How many assignments it is made of.")
    hours: Decimal | None = field("Hours worked, as corrected, two decimals; null where none were told.")
    assignments_without_hours: int = field(
        "Assignments that were worked on and tell no hours; correctTimeSpent adds them."
    )
    hourly_rate: Decimal | None = field(
        "The rate when the assignments ended; null where the engineer had none: setHourlyRate sets it."
    )
    rate_valid_from: datetime | None = field("From when on that was the rate; null without one.")
    labour_cost: Decimal | None = field(
        "hours at hourlyRate, rounded half up to two decimals; null without either."
    )
    parts: list[BillablePart] = field("The parts that were used.")
    parts_cost: Decimal | None = field("What they cost, where it is known; null where it is known of none.")
    parts_without_price: int = field("Entries of parts without a price that can be read.")
    cost: Decimal | None = field(
        "labourCost and partsCost together; null as long as a rate, hours or a price is missing."
    )

    ticket = batched_field(Ticket, "What was worked on.")(tickets_of)
    engineer = batched_field(Engineer, "Who worked.")(engineers_of)


@type_for(
    BillableTotals, "Each is the sum of that figure over all lines, exactly; what is null there is left out."
)
class BillableTimeTotals:
    lines: int = field("How many lines there are.")
    lines_without_cost: int = field("Lines of which something is not known, and which `cost` leaves out.")
    assignments: int = field("How many assignments they are made of.")
    hours: Decimal = field("Hours worked, those without a rate among them.")
    unpriced_hours: Decimal = field("Hours of lines without a rate.")
    assignments_without_hours: int = field("Assignments that were worked on and tell no hours.")
    labour_cost: Decimal = field("Of all lines that have one.")
    parts_cost: Decimal = field("Of all lines that have one.")
    parts_without_price: int = field("Entries of parts without a price.")
    cost: Decimal = field("Of all lines that have one.")


@type_for(
    BillingQuery, "What was worked and used up in assignments that ended in a period, and what it costs."
)
class BillableTime:
    currency: str = field("What all money is in: three letters of ISO 4217.")

    @strawberry.field(description="All lines together.", graphql_type=BillableTimeTotals)
    async def totals(root: Parent[BillingQuery]) -> BillableTotals:
        return await root.totals()

    @strawberry.field(
        description="By ticket, engineer and hourly rate: an engineer whose rate changed between two"
        " assignments of a ticket has two lines there.",
        graphql_type=Connection[BillableLine],
    )
    async def lines(
        root: Parent[BillingQuery], first: First = DEFAULT_PAGE, after: After = None
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
