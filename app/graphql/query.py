"""The root type Query."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry import ID

from app.domain import model, values
from app.domain.errors import InvalidInput
from app.domain.history import current_assignment, next_tier
from app.domain.policy import ReadPermission, can_read, visible_to
from app.graphql.arguments import From, To, argument, described, optional, period
from app.graphql.context import Info
from app.graphql.errors import BadUserInput, Forbidden
from app.graphql.load_functions import TicketPage
from app.graphql.pagination import DEFAULT_PAGE, After, First, Page, PageRequest, parse_datetime, parse_row_id
from app.graphql.types.audit import AuditFilter
from app.graphql.types.billing import BillingQuery
from app.graphql.types.declarations import resolver_field
from app.graphql.types.statistics import StatisticsFilter, StatisticsQuery, report_filter
from app.graphql.types.ticket import TicketBy, TicketFilter
from app.queries import engineers, events, rates, tickets
from app.queries.billing import BillingFilter
from app.queries.engineers import Suggestion

MAX_SUGGESTIONS = 10
_validate_search = values.text(values.SHORT)


@strawberry.type(description="Read operations.")
class Query:
    @resolver_field(
        "A ticket; null if it does not exist, or you may not see it. Exactly one argument must be given."
    )
    def ticket(
        self,
        info: Info,
        id: Annotated[ID | None, described("Id of the ticket.")] = None,
        by: Annotated[TicketBy | None, described("Another key of the ticket.")] = None,
    ) -> Awaitable[model.Ticket | None]:
        _require_actor(info)
        if (id is None) == (by is None):
            raise BadUserInput(InvalidInput("id", "or by must be given, but not both"))
        if by is not None:
            return _ticket_by(info, by.validated())
        return info.context.loaders.ticket.load(argument(values.ticket_id, "id", id))

    @resolver_field("Tickets, newest first. An engineer gets only tickets that are or were assigned to them.")
    async def tickets(
        self,
        info: Info,
        filter: Annotated[
            TicketFilter | None, described("Conditions on the tickets; all tickets by default.")
        ] = None,
        first: First = DEFAULT_PAGE,
        after: After = None,
    ) -> Page[model.Ticket]:
        only = visible_to(_require_actor(info), ReadPermission.TICKETS)
        db, conditions = info.context.reads, tickets.TicketFilter() if filter is None else filter.validated()
        page = PageRequest.parse(first, after, parse_datetime, str)
        loaders = info.context.loaders
        pages = loaders.ticket_search_page if conditions.is_heavy else loaders.ticket_page
        rows = await pages.load(TicketPage(conditions, page.key, page.limit, only))
        count = partial(info.context.count, db, tickets.count, conditions, visible_to=only)
        return Page(page, rows, lambda t: (t.created_at, t.id), count)

    @resolver_field("An assignment; null if it does not exist, or you may not see it.")
    def assignment(
        self, info: Info, id: Annotated[ID, described("Id of the assignment.")]
    ) -> Awaitable[model.Assignment | None]:
        _require_actor(info)
        return info.context.loaders.assignment.load(argument(values.assignment_id, "id", id))

    @resolver_field(
        "An engineer; null if they do not exist, or you may not see them. An engineer sees only themselves."
    )
    def engineer(
        self, info: Info, id: Annotated[ID, described("Id of the engineer.")]
    ) -> Awaitable[model.Engineer | None] | None:
        only = visible_to(_require_actor(info), ReadPermission.ENGINEER)
        engineer_id = argument(values.engineer_id, "id", id)
        if only not in (None, engineer_id):
            return None
        return info.context.loaders.engineer.load(engineer_id)

    @resolver_field("Engineers, ordered by name. An engineer sees only themselves.")
    async def engineers(
        self,
        info: Info,
        search: Annotated[
            str | None,
            described(
                "Text contained in the name or region, ignoring case and the kind of white space. At most"
                " 200 characters."
            ),
        ] = None,
        first: First = DEFAULT_PAGE,
        after: After = None,
    ) -> Page[model.Engineer]:
        only = visible_to(_require_actor(info), ReadPermission.ENGINEERS)
        db, text = info.context.reads, optional(_validate_search, "search", search)
        page = PageRequest.parse(first, after, str, UUID)
        async with db.connection(heavy=text is not None) as conn:
            if only is None:
                rows = await engineers.by_name(conn, text, after=page.key, first=page.limit)
            else:
                rows = [] if page.key else await engineers.by_ids(conn, [only])

        async def count() -> int:
            if only is not None:
                return len(rows)
            return await info.context.count(db, engineers.count, text)

        return Page(page, rows, lambda e: (e.name, e.id), count)

    @resolver_field(
        "Hours and parts of the assignments that ended in a period, and their cost; null for engineers."
    )
    async def billable_time(
        self,
        info: Info,
        from_: From,
        to: To,
        customer: Annotated[
            str | None, described("Only tickets of the customer with exactly this name.")
        ] = None,
        ticket_id: Annotated[ID | None, described("Only this ticket.")] = None,
    ) -> BillingQuery | None:
        if not can_read(_require_actor(info), ReadPermission.BILLABLE_TIME):
            return None
        filter = BillingFilter(
            period(from_, to),
            customer=optional(values.exact_text, "customer", customer),
            ticket_id=optional(values.ticket_id, "ticketId", ticket_id),
        )
        return BillingQuery(info.context.db, filter, info.context.loaders.heavy_lock, info.context.currency)

    @resolver_field(
        "All hourly rates of an engineer, latest `validFrom` first, including those corrected later; null"
        " for engineers."
    )
    async def hourly_rates(
        self,
        info: Info,
        engineer_id: Annotated[ID, described("Id of the engineer.")],
        first: First = DEFAULT_PAGE,
        after: After = None,
    ) -> Page[model.HourlyRate] | None:
        if not can_read(_require_actor(info), ReadPermission.HOURLY_RATES):
            return None
        db, engineer = info.context.db, argument(values.engineer_id, "engineerId", engineer_id)
        page = PageRequest.parse(first, after, parse_datetime, parse_row_id)
        async with db.connection() as conn:
            rows = await rates.of_engineer(conn, engineer, after=page.key, first=page.limit)
        count = partial(info.context.count, db, rates.count_of_engineer, engineer)
        return Page(page, rows, lambda r: (r.valid_from, str(r.id)), count)

    @resolver_field(
        "Statistics of a period. For an engineer, they cover only the engineer's own assignments."
    )
    async def statistics(
        self,
        info: Info,
        from_: From,
        to: To,
        filter: Annotated[
            StatisticsFilter | None, described("Conditions on the assignments; all assignments by default.")
        ] = None,
    ) -> StatisticsQuery:
        only = visible_to(_require_actor(info), ReadPermission.STATISTICS)
        context, conditions = info.context, report_filter(period(from_, to), filter, only)
        return StatisticsQuery(context.reads, conditions, context.loaders.heavy_lock)

    @resolver_field(
        f"The {MAX_SUGGESTIONS} best candidates for a ticket, best first: most skills that match the"
        " equipment, then the customer's region, then fewest active assignments. The engineer who is"
        " currently assigned is excluded. Null if the ticket does not exist, and for engineers."
    )
    async def suggest_engineers(
        self,
        info: Info,
        ticket_id: Annotated[ID, described("Id of the ticket.")],
        tier: Annotated[
            int | None,
            described("Support tier of the candidates, 1 to 5. By default the ticket's `nextTier`."),
        ] = None,
    ) -> list[Suggestion] | None:
        only = visible_to(_require_actor(info), ReadPermission.SUGGEST_ENGINEERS)
        chosen_tier = optional(values.tier, "tier", tier)
        ticket = await info.context.loaders.ticket.load(argument(values.ticket_id, "ticketId", ticket_id))
        if ticket is None or only is not None:
            return None
        history = await info.context.loaders.assignment_history.load(ticket.id)
        details = await info.context.loaders.ticket_details.load(ticket.id)
        current = current_assignment(history)
        async with info.context.reads.connection(heavy=True) as conn:
            return await engineers.suggested(
                conn,
                next_tier(history, details.next_tier) if chosen_tier is None else chosen_tier,
                ticket.equipment_id,
                ticket.customer_name,
                excluded=None if current is None else current.engineer_id,
                first=MAX_SUGGESTIONS,
            )

    @resolver_field("Audit log, latest first. Auditors and admins; others get the error FORBIDDEN.")
    async def audit_events(
        self,
        info: Info,
        filter: Annotated[AuditFilter, described("Which events.")],
        first: First = DEFAULT_PAGE,
        after: After = None,
    ) -> Page[events.AuditRecord]:
        if not can_read(_require_actor(info), ReadPermission.AUDIT_EVENTS):
            raise Forbidden
        db, conditions = info.context.reads, filter.validated()
        page = PageRequest.parse(first, after, parse_row_id)
        async with db.connection(heavy=True) as conn:
            before = page.key[0] if page.key else None
            rows = await events.audit_records(conn, conditions, before=before, first=page.limit)
        count = partial(info.context.count, db, events.count_audit_records, conditions)
        return Page(page, rows, lambda record: (str(record.event.id),), count)

    @resolver_field("The signed-in user.")
    async def viewer(self, info: Info) -> model.Actor:
        return _require_actor(info)


async def _ticket_by(info: Info, keys: tickets.TicketKeys) -> model.Ticket | None:
    async with info.context.reads.connection() as conn:
        ticket_id = await tickets.id_by(conn, keys)
    return None if ticket_id is None else await info.context.loaders.ticket.load(ticket_id)


def _require_actor(info: Info) -> model.Actor:
    """Raises Unauthenticated."""
    return info.context.actor
