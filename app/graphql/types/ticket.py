"""The types Ticket, EngineerTime and TicketFilter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, get_type_hints

import strawberry
from strawberry import ID, Parent

from app.commands import create_ticket
from app.domain import history, model, values
from app.domain.declarations import api_field
from app.domain.events import EventType, TicketEvent, TimelineOrder
from app.execution.field_resolvers import BatchResolverFn
from app.graphql.arguments import argument, described, optional
from app.graphql.context import Context, Info
from app.graphql.load_functions import TimelinePage, TimelineTotal
from app.graphql.pagination import (
    DEFAULT_PAGE,
    After,
    Connection,
    First,
    Page,
    PageRequest,
    parse_row_id,
)
from app.graphql.types.batch_resolvers import (
    BatchResult,
    gather_results,
    load_each,
    load_engineers,
    load_equipment,
    load_tickets,
)
from app.graphql.types.declarations import batched_field, field, type_for
from app.graphql.types.ticket_event import TicketEventInterface
from app.queries import tickets
from app.queries.events import EventSelection
from app.rows import attribute

_validate_search = values.text(values.SHORT)


@type_for(history.EngineerTime)
class EngineerTime:
    engineer = batched_field(model.Engineer, "The engineer who worked these hours.")(load_engineers)


def _load_external_ids(tickets: Sequence[model.Ticket], context: Context) -> BatchResult:
    return load_each(context.loaders.external_ids, attribute(tickets, "id"))


def _load_handover_notes(tickets: Sequence[model.Ticket], context: Context) -> BatchResult:
    return load_each(context.loaders.handover_notes, attribute(tickets, "id"))


def _load_histories(tickets: Sequence[model.Ticket], context: Context) -> BatchResult:
    return load_each(context.loaders.assignment_history, attribute(tickets, "id"))


def _from_history(compute: Callable[[list[model.Assignment]], Any]) -> BatchResolverFn:
    """Make a batch resolver that computes a value from the history of each ticket."""

    async def resolve(tickets: Sequence[model.Ticket], context: Context) -> list[Any]:
        histories = await gather_results(_load_histories(tickets, context))
        # A history of many assignments of one ticket is the same list for each of them.
        computed = {id(each): each if isinstance(each, Exception) else compute(each) for each in histories}
        return [computed[id(each)] for each in histories]

    return resolve


@type_for(create_ticket.CreatedTicket)
class CreatedTicket:
    pass


@type_for(model.TicketNote)
class TicketNote:
    ticket = batched_field(model.Ticket, "The ticket with the note.")(load_tickets)


@dataclass(frozen=True, slots=True)
class TicketHold:
    """The interruption of the work on a ticket."""

    reason: str | None = api_field("Why the work is interrupted; null if an outcome interrupted it.")
    since: datetime = api_field("When the ticket was put on hold.")
    until: datetime | None = api_field(
        "When the ticket resumes by itself; null if somebody has to resume it."
    )
    held_by: str = api_field("Who put it on hold: the subject of their token.")


def _hold(_: model.Ticket, details: model.TicketDetails, __: Context) -> TicketHold | None:
    if details.held_at is None or details.held_by is None:
        return None
    return TicketHold(details.hold_reason, details.held_at, details.hold_until, details.held_by)


def _reopenable_until(
    ticket: model.Ticket, details: model.TicketDetails, context: Context
) -> datetime | None:
    return history.reopenable_until(ticket, details, context.rules)


def _from_details(compute: Callable[[model.Ticket, model.TicketDetails, Context], Any]) -> BatchResolverFn:
    """Make a batch resolver that computes a value from the details of each ticket."""

    async def resolve(tickets: Sequence[model.Ticket], context: Context) -> list[Any]:
        loaded = await gather_results(load_each(context.loaders.ticket_details, attribute(tickets, "id")))
        return [
            details if isinstance(details, Exception) else compute(ticket, details, context)
            for ticket, details in zip(tickets, loaded, strict=True)
        ]

    return resolve


_DETAILS = {f.name: f.metadata["description"] for f in fields(model.TicketDetails) if f.metadata}


def _detail(name: str) -> Any:  # noqa: ANN401 - a Strawberry field
    """Declare the field for a column of the details."""
    hint = get_type_hints(model.TicketDetails)[name]
    return batched_field(hint, _DETAILS[name])(_from_details(lambda _, details, __: getattr(details, name)))


def _linked(name: str) -> BatchResolverFn:
    """Make a batch resolver that loads the ticket to which a column of the details refers."""

    async def resolve(tickets: Sequence[model.Ticket], context: Context) -> Any:  # noqa: ANN401 - a BatchResult
        ids = await _from_details(lambda _, details, __: getattr(details, name))(tickets, context)
        linked = await gather_results(
            load_each(context.loaders.ticket, (None if isinstance(id_, Exception) else id_ for id_ in ids))
        )
        return [
            id_ if isinstance(id_, Exception) else ticket for id_, ticket in zip(ids, linked, strict=True)
        ]

    return resolve


async def _next_tiers(tickets: Sequence[model.Ticket], context: Context) -> list[Any]:
    histories = await gather_results(_load_histories(tickets, context))
    asked_for = await _from_details(lambda _, details, __: details.next_tier)(tickets, context)
    return [
        error or history.next_tier(assignments, tier)
        for assignments, tier in zip(histories, asked_for, strict=True)
        for error in [next((value for value in (assignments, tier) if isinstance(value, Exception)), None)]
    ]


@type_for(model.Ticket)
class Ticket:
    version = _detail("version")
    contact_name = _detail("contact_name")
    contact_phone = _detail("contact_phone")
    site_address = _detail("site_address")
    waiting_since = _detail("waiting_since")
    cancelled_at = _detail("cancelled_at")
    hold = batched_field(TicketHold | None, "The hold; null unless the ticket was put on hold by a command.")(
        _from_details(_hold)
    )
    next_tier = batched_field(
        int,
        "Support tier to ask next: above the current assignment's; else the one that an escalation asked for;"
        " else that of the last assignment; else 1.",
    )(_next_tiers)
    reopenable_until = batched_field(
        datetime | None, "When the ticket can last be reopened; null unless it is closed or cancelled."
    )(_from_details(_reopenable_until))
    follow_up_of = batched_field(
        model.Ticket | None,
        "The ticket that this one follows up; null if there is none, or you may not see it.",
    )(_linked("follow_up_of"))
    duplicate_of = batched_field(
        model.Ticket | None,
        "The ticket that this cancelled ticket duplicates; null if there is none, or you may not see it.",
    )(_linked("duplicate_of"))
    equipment = batched_field(model.Equipment | None, "The faulty equipment; null if unknown.")(
        load_equipment
    )

    @batched_field(model.Assignment | None, "The active assignment; null if the ticket is not assigned.")
    def current_assignment(tickets: Sequence[model.Ticket], context: Context) -> BatchResult:
        return load_each(context.loaders.current_assignment, attribute(tickets, "id"))

    assignment_history = batched_field(
        list[model.Assignment], "All assignments of the ticket, ordered by sequence."
    )(_load_histories)
    escalation_count = batched_field(int, "Number of times the ticket was escalated.")(
        _from_history(history.escalation_count)
    )
    total_time_spent_hours = batched_field(Decimal, "Total hours of all engineers, with two decimals.")(
        _from_history(history.total_hours)
    )
    time_by_engineer = batched_field(
        list[history.EngineerTime], "Hours of each engineer, ordered by their first assignment."
    )(_from_history(history.time_by_engineer))

    external_ids = batched_field(list[tickets.ExternalId], "Ids of the ticket in other systems, by source.")(
        _load_external_ids
    )
    handover_notes = batched_field(
        list[model.TicketNote],
        "Notes for the next engineer, oldest first: since the assignment before the current one began."
        " At most 20.",
    )(_load_handover_notes)

    @strawberry.field(
        description="What happened to the ticket and its assignments.",
        graphql_type=Connection[TicketEventInterface],
    )
    async def timeline(
        root: Parent[model.Ticket],
        info: Info,
        order_by: Annotated[TimelineOrder, described("Order of the events.")] = TimelineOrder.OLDEST_FIRST,
        types: Annotated[
            list[EventType] | None, described("Only events of these types; all by default.")
        ] = None,
        first: First = DEFAULT_PAGE,
        after: After = None,
    ) -> Page[TicketEvent]:
        selected = None if types is None else tuple(types)
        page = PageRequest.parse(first, after, parse_row_id)
        loaders = info.context.loaders
        newest_first = order_by is TimelineOrder.NEWEST_FIRST
        last_id = page.key[0] if page.key else None
        selection = EventSelection(selected, newest_first, last_id, page.limit)
        rows = await loaders.timeline_page.load(TimelinePage(root.id, selection))

        async def count() -> int:
            total = await loaders.timeline_total.load(TimelineTotal(root.id, selected))
            return total[0].events if total else 0

        return Page(page, rows, lambda event: (str(event.id),), count)


@strawberry.input(description="The id of a ticket in another system.")
class ExternalIdInput:
    source: str = field("Name of the other system.")
    id: str = field("Id in that system.")


@strawberry.input(description="A key that identifies one ticket.", one_of=True)
class TicketBy:
    id: strawberry.Maybe[ID] = field("Id of the ticket.")
    number: strawberry.Maybe[str] = field("Human-readable number, exactly as stored.")
    external_id: strawberry.Maybe[ExternalIdInput] = field("Its id in another system.")

    def validated(self) -> tickets.TicketKeys:
        """Raises BadUserInput."""
        external = self.external_id.value if self.external_id else None
        return tickets.TicketKeys(
            optional(values.ticket_id, "by.id", self.id.value) if self.id else None,
            optional(values.exact_text, "by.number", self.number.value) if self.number else None,
            None
            if external is None
            else argument(values.exact_text, "by.externalId.source", external.source),
            None if external is None else argument(values.exact_text, "by.externalId.id", external.id),
        )


@strawberry.input(description="Conditions on tickets. All given conditions must match.")
class TicketFilter:
    status: list[model.TicketStatus] | None = field("Only tickets with one of these statuses.")
    priority: list[model.TicketPriority] | None = field("Only tickets with one of these priorities.")
    engineer_id: ID | None = field("Only tickets that are currently assigned to this engineer.")
    tier: int | None = field("Only tickets with a current assignment at this support tier, 1 to 5.")
    unassigned: bool | None = field(
        "True: only tickets without a current assignment; without `status`, only open ones. False: only"
        " tickets with a current assignment."
    )
    search: str | None = field(
        "Text contained in the ticket number, the customer's name or the issue category, ignoring case and"
        " the kind of white space. At most 200 characters."
    )

    def validated(self) -> tickets.TicketFilter:
        """Raises BadUserInput."""
        return tickets.TicketFilter(
            statuses=None if self.status is None else tuple(self.status),
            priorities=None if self.priority is None else tuple(self.priority),
            engineer_id=optional(values.engineer_id, "engineerId", self.engineer_id),
            tier=optional(values.tier, "tier", self.tier),
            unassigned=self.unassigned,
            search=optional(_validate_search, "search", self.search),
        )
