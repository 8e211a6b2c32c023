"""The query root."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar
from uuid import UUID

import strawberry
from strawberry import ID

from app.domain import model, values
from app.domain.errors import InvalidInput
from app.domain.policy import Reading, only_of
from app.graphql.context import Info
from app.graphql.faults import BadUserInput
from app.graphql.pages import DEFAULT_PAGE, After, Connection, First, Page, checked_first, key_after, moment
from app.graphql.types import Assignment, Engineer, Ticket, Viewer, said
from app.queries import engineers, tickets

T = TypeVar("T")

Search = Annotated[
    str | None, strawberry.argument(description="Part of a name or region, in any case of letters.")
]
_search = values.text(values.SHORT)


@strawberry.input(description="Every part that is given narrows the list.")
class TicketFilter:
    status: list[model.TicketStatus] | None = said("Only these statuses.")
    priority: list[model.TicketPriority] | None = said("Only these priorities.")
    engineer_id: ID | None = said("Only tickets that this engineer holds now.")
    tier: int | None = said("Only tickets that somebody at this tier holds now.")
    unassigned: bool | None = said(
        "True: only open tickets that nobody holds. False: only tickets that somebody holds."
    )
    search: str | None = said("Part of the ticket number, the customer's name or the issue category.")

    def checked(self) -> tickets.TicketFilter:
        return tickets.TicketFilter(
            statuses=self.status,
            priorities=self.priority,
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
    async def ticket(
        self, info: Info, id: Annotated[ID, strawberry.argument(description="The ticket's id.")]
    ) -> model.Ticket | None:
        signed_in(info)
        return await info.context.loaders.ticket.load(argument(values.ticket_id, "id", id))

    @strawberry.field(description="Tickets, newest first.", graphql_type=Connection[Ticket])
    async def tickets(
        self,
        info: Info,
        filter: Annotated[TicketFilter | None, strawberry.argument(description="Which tickets.")] = None,
        first: First = DEFAULT_PAGE,
        after: After = None,
    ) -> Page[model.Ticket]:
        only = only_of(signed_in(info), Reading.TICKETS)
        db, wanted = info.context.reads, tickets.TicketFilter() if filter is None else filter.checked()
        key = key_after(after, moment, str)
        size = checked_first(first)
        async with db.connection() as conn:
            found = await tickets.newest(conn, wanted, after=key, first=size + 1, only_of=only)

        async def count() -> int:
            async with db.connection() as conn:
                return await tickets.count(conn, wanted, only_of=only)

        return Page(found, size, after, key=lambda t: (t.created_at, t.id), count=count)

    @strawberry.field(
        description="One assignment; null when there is none with this id, or its ticket is not yours.",
        graphql_type=Assignment | None,
    )
    async def assignment(
        self, info: Info, id: Annotated[ID, strawberry.argument(description="The assignment's id.")]
    ) -> model.Assignment | None:
        signed_in(info)
        return await info.context.loaders.assignment.load(argument(values.assignment_id, "id", id))

    @strawberry.field(
        description="One engineer; null when there is none with this id, or an engineer asks for another.",
        graphql_type=Engineer | None,
    )
    async def engineer(
        self, info: Info, id: Annotated[ID, strawberry.argument(description="The engineer's id.")]
    ) -> model.Engineer | None:
        only = only_of(signed_in(info), Reading.ENGINEER)
        engineer_id = argument(values.engineer_id, "id", id)
        if only not in (None, engineer_id):
            return None
        return await info.context.loaders.engineer.load(engineer_id)

    @strawberry.field(
        description="Engineers by name; an engineer sees only oneself.", graphql_type=Connection[Engineer]
    )
    async def engineers(
        self, info: Info, search: Search = None, first: First = DEFAULT_PAGE, after: After = None
    ) -> Page[model.Engineer]:
        only = only_of(signed_in(info), Reading.ENGINEERS)
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

    @strawberry.field(description="Who is signed in.", graphql_type=Viewer)
    async def viewer(self, info: Info) -> model.Actor:
        return signed_in(info)


def signed_in(info: Info) -> model.Actor:
    """Every root begins with it. Raises Unauthenticated."""
    return info.context.actor


def argument(check: Callable[[str, object], T], name: str, value: object) -> T:
    """The argument's value, checked. Raises BadUserInput."""
    try:
        return check(name, value)
    except InvalidInput as refused:
        raise BadUserInput(refused) from None


def optional(check: Callable[[str, object], T], name: str, value: object) -> T | None:
    return None if value is None else argument(check, name, value)
