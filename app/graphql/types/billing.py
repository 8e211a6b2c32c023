"""The types HourlyRate and BillableTime, with its totals and lines. Only selected figures are computed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from strawberry import Parent

from app.db.pool import Database
from app.domain import model
from app.graphql.fields import batched_field
from app.graphql.pagination import DEFAULT_PAGE, After, Connection, First, Page, PageRequest, parse_row_id
from app.graphql.types.batch_resolvers import load_engineers, load_tickets
from app.graphql.types.declarations import field, type_for
from app.graphql.types.engineer import Engineer
from app.graphql.types.ticket import Ticket
from app.queries import billing
from app.queries.billing import BillableTotals, BillingFilter


@type_for(model.HourlyRate, "Hourly rate of an engineer, valid from a time until the next rate's.")
class HourlyRate:
    hourly_rate: Decimal = field("Price of one hour, with two decimals.")
    valid_from: datetime = field("Start of validity; applies to assignments that ended then or later.")
    set_by: str = field("Who set the rate: the subject of their token.")
    set_at: datetime = field("When the rate was set. With equal `validFrom`, the later one applies.")

    engineer = batched_field(Engineer, "The engineer with this rate.")(load_engineers)


@dataclass(frozen=True, slots=True)
class BillingQuery:
    """The object behind BillableTime."""

    db: Database
    filter: BillingFilter
    currency: str

    async def totals(self) -> BillableTotals:
        async with self.db.connection() as conn:
            return await billing.totals(conn, self.filter)


@type_for(billing.BillablePart, "A spare part that was installed. Old records may be incomplete.")
class BillablePart:
    part_number: str | None = field("The manufacturer's part number; null if unknown.")
    part_name: str | None = field("Name of the part; null if unknown.")
    quantity: int | None = field("Number of pieces; null if unknown.")
    price: Decimal | None = field("Price of one piece; null if unknown.")
    cost: Decimal | None = field("Price of all pieces, with two decimals; null if unknown.")


@type_for(billing.BillableLine, "Work of one engineer on one ticket at one hourly rate, ready to be billed.")
class BillableLine:
    assignments: int = field("Number of assignments in this line.")
    hours: Decimal | None = field("Hours worked, after corrections, two decimals; null if not reported.")
    assignments_without_hours: int = field("Assignments without hours; `correctTimeSpent` adds them.")
    hourly_rate: Decimal | None = field("Rate when the work ended; null without one, see `setHourlyRate`.")
    rate_valid_from: datetime | None = field("Start of the rate's validity; null without a rate.")
    labour_cost: Decimal | None = field(
        "Product of `hours` and `hourlyRate`, rounded half up to two decimals; null if either is null."
    )
    parts: list[BillablePart] = field("Parts that were installed.")
    parts_cost: Decimal | None = field(
        "Total cost of the parts with a known cost; 0 without parts; null if no part has a known cost."
    )
    parts_without_price: int = field("Number of parts without a known cost.")
    cost: Decimal | None = field(
        "Sum of `labourCost` and `partsCost`; null while a rate, hours or the cost of a part are missing."
    )

    ticket = batched_field(Ticket, "The ticket that was worked on.")(load_tickets)
    engineer = batched_field(Engineer, "The engineer who worked on it.")(load_engineers)


@type_for(BillableTotals, "Sums over all lines. Null values of lines are not included.")
class BillableTimeTotals:
    lines: int = field("Number of lines.")
    lines_without_cost: int = field("Number of lines with a `cost` of null.")
    assignments: int = field("Number of assignments.")
    hours: Decimal = field("Hours worked, with and without a rate.")
    unpriced_hours: Decimal = field("Hours of lines without a rate.")
    assignments_without_hours: int = field("Number of assignments without reported hours.")
    labour_cost: Decimal = field("Sum of `labourCost` of the lines.")
    parts_cost: Decimal = field("Sum of `partsCost` of the lines.")
    parts_without_price: int = field("Number of parts without a known cost.")
    cost: Decimal = field("Sum of `cost` of the lines.")


@type_for(BillingQuery, "Hours and parts of the assignments that ended in a period, and their cost.")
class BillableTime:
    currency: str = field("Currency of all amounts, as an ISO 4217 code.")

    @field("Sums over all lines.", BillableTimeTotals)
    async def totals(root: Parent[BillingQuery]) -> BillableTotals:
        return await root.totals()

    @field(
        "Lines ordered by ticket, engineer and hourly rate. If the rate of an engineer changed between"
        " two assignments of a ticket, the engineer has two lines for it.",
        Connection[BillableLine],
    )
    async def lines(
        root: Parent[BillingQuery], first: First = DEFAULT_PAGE, after: After = None
    ) -> Page[billing.BillableLine]:
        page = PageRequest.parse(first, after, str, UUID, parse_row_id)
        async with root.db.connection() as conn:
            rows = await billing.lines(conn, root.filter, after=page.key, first=page.limit)

        async def count() -> int:
            return (await root.totals()).lines

        return Page(page, rows, lambda x: (x.ticket_id, x.engineer_id, str(x.rate_id)), count)
