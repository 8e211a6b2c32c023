"""The query root."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry import ID

from app.domain import model, values
from app.domain.history import current_assignment, next_tier
from app.domain.policy import ReadPermission, can_read, visible_to
from app.graphql.arguments import From, To, argument, optional, period, signed_in
from app.graphql.context import Info
from app.graphql.loaders import TicketPage
from app.graphql.pagination import (
    DEFAULT_PAGE,
    After,
    Connection,
    First,
    Page,
    checked_first,
    key_after,
    moment,
    row_id,
)
from app.graphql.types.billing import BillableTime, BillingQuery
from app.graphql.types.statistics import Statistics, StatisticsFilter, StatisticsQuery, statistics_filter
from app.graphql.types.ticket import (
    Assignment,
    Engineer,
    EngineerSuggestion,
    HourlyRate,
    Ticket,
    Viewer,
    field,
)
from app.queries import engineers, rates, tickets
from app.queries.billing import BillingFilter
from app.queries.engineers import Suggestion

Search = Annotated[
    str | None, strawberry.argument(description="Part of a name or region, in any case of letters.")
]
MOST_SUGGESTIONS = 10
_search = values.text(values.SHORT)
_name = values.text(values.SHORT)


@strawberry.input(description="Every part that is given narrows the list.")
class TicketFilter:
    status: list[model.TicketStatus] | None = field("Only these statuses.")
    priority: list[model.TicketPriority] | None = field("Only these priorities.")
    engineer_id: ID | None = field("Only tickets that this engineer holds now.")
    tier: int | None = field("Only tickets that somebody at this tier holds now.")
    unassigned: bool | None = field(
        "True: only open tickets that nobody holds. False: only tickets that somebody holds."
    )
    search: str | None = field("Part of the ticket number, the customer's name or the issue category.")

    def checked(self) -> tickets.TicketFilter:
        return tickets.TicketFilter(
            statuses=None if self.status is None else tuple(self.status),
            priorities=None if self.priority is None else tuple(self.priority),
            engineer_id=optional(values.engineer_id, "engineerId", self.engineer_id),
            tier=optional(values.tier, "tier", self.tier),
            unassigned=self.unassigned,
            search=optional(_search, "search", self.search),
        )


@strawberry.type(description="What can be read.")
class Query:
    @strawberry.field(
        description="One ticket; null when there is none with this id, or it is not yours.",
        graphql_type=Ticket | None,
    )
    def ticket(
        self, info: Info, id: Annotated[ID, strawberry.argument(description="The ticket's id.")]
    ) -> Awaitable[model.Ticket | None]:
        signed_in(info)
        return info.context.loaders.ticket.load(argument(values.ticket_id, "id", id))

    @strawberry.field(description="Tickets, newest first.", graphql_type=Connection[Ticket])
    async def tickets(
        self,
        info: Info,
        filter: Annotated[TicketFilter | None, strawberry.argument(description="Which tickets.")] = None,
        first: First = DEFAULT_PAGE,
        after: After = None,
    ) -> Page[model.Ticket]:
        only = visible_to(signed_in(info), ReadPermission.TICKETS)
        db, wanted = info.context.reads, tickets.TicketFilter() if filter is None else filter.checked()
        key = key_after(after, moment, str)
        size = checked_first(first)
        found = await info.context.loaders.ticket_page.load(TicketPage(wanted, key, size + 1, only))

        async def count() -> int:
            async with db.connection() as conn:
                return await tickets.count(conn, wanted, visible_to=only)

        return Page(found, size, after, key=lambda t: (t.created_at, t.id), count=count)

    @strawberry.field(
        description="One assignment; null when there is none with this id, or its ticket is not yours.",
        graphql_type=Assignment | None,
    )
    def assignment(
        self, info: Info, id: Annotated[ID, strawberry.argument(description="The assignment's id.")]
    ) -> Awaitable[model.Assignment | None]:
        signed_in(info)
        return info.context.loaders.assignment.load(argument(values.assignment_id, "id", id))

    @strawberry.field(
        description="One engineer; null when there is none with this id, or an engineer asks for another.",
        graphql_type=Engineer | None,
    )
    def engineer(
        self, info: Info, id: Annotated[ID, strawberry.argument(description="The engineer's id.")]
    ) -> Awaitable[model.Engineer | None] | None:
        only = visible_to(signed_in(info), ReadPermission.ENGINEER)
        engineer_id = argument(values.engineer_id, "id", id)
        if only not in (None, engineer_id):
            return None
        return info.context.loaders.engineer.load(engineer_id)

    @strawberry.field(
        description="Engineers by name; an engineer sees only oneself.", graphql_type=Connection[Engineer]
    )
    async def engineers(
        self, info: Info, search: Search = None, first: First = DEFAULT_PAGE, after: After = None
    ) -> Page[model.Engineer]:
        only = visible_to(signed_in(info), ReadPermission.ENGINEERS)
        db, wanted = info.context.reads, optional(_search, "search", search)
        key = key_after(after, str, UUID)
        size = checked_first(first)
        async with db.connection() as conn:
            if only is None:
                found = await engineers.by_name(conn, wanted, after=key, first=size + 1)
            else:
                found = [] if key else await engineers.by_ids(conn, [only])

        async def count() -> int:
            if only is not None:
                return len(found)
            async with db.connection() as conn:
                return await engineers.count(conn, wanted)

        return Page(found, size, after, key=lambda e: (e.name, e.id), count=count)

    @strawberry.field(
        description="Hours and parts of work that ended in a period, and what they cost; null for engineers.",
        graphql_type=BillableTime | None,
    )
    async def billable_time(
        self,
        info: Info,
        from_: From,
        to: To,
        customer: Annotated[
            str | None,
            strawberry.argument(description="Only tickets of the customer with exactly this name."),
        ] = None,
        ticket_id: Annotated[ID | None, strawberry.argument(description="Only this ticket.")] = None,
    ) -> BillingQuery | None:
        if not can_read(signed_in(info), ReadPermission.BILLABLE_TIME):
            return None
        wanted = BillingFilter(
            period(from_, to),
            customer=optional(_name, "customer", customer),
            ticket_id=optional(values.ticket_id, "ticketId", ticket_id),
        )
        return BillingQuery(info.context.db, wanted, info.context.currency)

    @strawberry.field(
        description="What an engineer's hour has cost and will cost, the newest validFrom first, with all"
        " that was corrected; null for engineers.",
        graphql_type=Connection[HourlyRate] | None,
    )
    async def hourly_rates(
        self,
        info: Info,
        engineer_id: Annotated[ID, strawberry.argument(description="Whose hour.")],
        first: First = DEFAULT_PAGE,
        after: After = None,
    ) -> Page[model.HourlyRate] | None:
        if not can_read(signed_in(info), ReadPermission.HOURLY_RATES):
            return None
        db, whose = info.context.db, argument(values.engineer_id, "engineerId", engineer_id)
        key = key_after(after, moment, row_id)
        size = checked_first(first)
        async with db.connection() as conn:
            found = await rates.of_engineer(conn, whose, after=key, first=size + 1)

        async def count() -> int:
            async with db.connection() as conn:
                return await rates.count_of_engineer(conn, whose)

        return Page(found, size, after, key=lambda r: (r.valid_from, str(r.id)), count=count)

    @strawberry.field(
        description="What happened in a period, in figures; an engineer sees those of own assignments.",
        graphql_type=Statistics,
    )
    async def statistics(
        self,
        info: Info,
        from_: From,
        to: To,
        filter: Annotated[
            StatisticsFilter | None, strawberry.argument(description="Which assignments.")
        ] = None,
    ) -> StatisticsQuery:
        only = visible_to(signed_in(info), ReadPermission.STATISTICS)
        return StatisticsQuery(info.context.reads, statistics_filter(period(from_, to), filter, only))

    @strawberry.field(
        description=f"The {MOST_SUGGESTIONS} engineers who could best be given a ticket, the best first: by"
        " skills that match its equipment, then region, then who has least to do. Who holds it is left out."
        " Null when there is no such ticket, or an engineer asks.",
        graphql_type=list[EngineerSuggestion] | None,
    )
    async def suggest_engineers(
        self,
        info: Info,
        ticket_id: Annotated[ID, strawberry.argument(description="The ticket's id.")],
        tier: Annotated[
            int | None,
            strawberry.argument(
                description="Whose people are asked; when left out, the next tier of a ticket that somebody"
                " holds, else the tier that was asked last, or 1."
            ),
        ] = None,
    ) -> list[Suggestion] | None:
        only = visible_to(signed_in(info), ReadPermission.SUGGEST_ENGINEERS)
        wanted = optional(values.tier, "tier", tier)
        ticket = await info.context.loaders.ticket.load(argument(values.ticket_id, "ticketId", ticket_id))
        if ticket is None or only is not None:
            return None
        turns = await info.context.loaders.assignment_history.load(ticket.id)
        held = current_assignment(turns)
        async with info.context.reads.connection() as conn:
            return await engineers.suggested(
                conn,
                next_tier(turns) if wanted is None else wanted,
                ticket.equipment_id,
                ticket.customer_name,
                excluded=None if held is None else held.engineer_id,
                first=MOST_SUGGESTIONS,
            )

    @strawberry.field(description="Who is signed in.", graphql_type=Viewer)
    async def viewer(self, info: Info) -> model.Actor:
        return signed_in(info)
