"""The types HourlyRate, BillableTime and BillableLine. Only selected figures are computed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

from strawberry import Parent

from app.db.pool import Database
from app.domain import model
from app.domain.declarations import api_field
from app.graphql.pagination import DEFAULT_PAGE, After, First, Page, PageRequest, parse_row_id
from app.graphql.types.batch_resolvers import load_engineers, load_tickets
from app.graphql.types.declarations import batched_field, resolver_field, type_for
from app.queries import billing
from app.queries.billing import BillableTimeTotals, BillingFilter


@type_for(model.HourlyRate)
class HourlyRate:
    engineer = batched_field(model.Engineer, "The engineer with this rate.")(load_engineers)


@dataclass(frozen=True, slots=True)
class BillingQuery:
    """The object behind BillableTime."""

    db: Database
    filter: BillingFilter
    lock: asyncio.Lock
    """Of the aggregates of an operation."""
    currency: str = api_field("Currency of all amounts, as an ISO 4217 code.")

    async def totals(self) -> BillableTimeTotals:
        async with self.lock, self.db.connection(heavy=True) as conn:
            return await billing.totals(conn, self.filter)


@type_for(billing.BillableLine)
class BillableLine:
    ticket = batched_field(model.Ticket, "The ticket that was worked on.")(load_tickets)
    engineer = batched_field(model.Engineer, "The engineer who worked on it.")(load_engineers)


@type_for(BillingQuery, "Hours and parts of the assignments that ended in a period, and their cost.")
class BillableTime:
    @resolver_field("Sums over all lines.")
    async def totals(root: Parent[BillingQuery]) -> BillableTimeTotals:
        return await root.totals()

    @resolver_field(
        "Lines ordered by ticket, engineer and hourly rate. If the rate of an engineer changed between"
        " two assignments of a ticket, the engineer has two lines for it."
    )
    async def lines(
        root: Parent[BillingQuery], first: First = DEFAULT_PAGE, after: After = None
    ) -> Page[billing.BillableLine]:
        page = PageRequest.parse(first, after, str, UUID, parse_row_id)
        async with root.db.connection(heavy=True) as conn:
            rows = await billing.lines(conn, root.filter, after=page.key, first=page.limit)

        async def count() -> int:
            return (await root.totals()).lines

        return Page(page, rows, lambda x: (x.ticket_id, x.engineer_id, str(x.rate_id)), count)
