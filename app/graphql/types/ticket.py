"""The types Ticket, EngineerTime and TicketFilter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import strawberry
from strawberry import ID

from app.domain import history, model, values
from app.execution.field_resolvers import BatchResolverFn
from app.graphql.arguments import optional
from app.graphql.context import Context
from app.graphql.types.batch_resolvers import (
    BatchResult,
    gather_results,
    load_each,
    load_engineers,
    load_equipment,
)
from app.graphql.types.declarations import batched_field, field, type_for
from app.queries import tickets
from app.rows import attribute

_validate_search = values.text(values.SHORT)


@type_for(history.EngineerTime)
class EngineerTime:
    engineer = batched_field(model.Engineer, "The engineer who worked these hours.")(load_engineers)


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


@type_for(model.Ticket)
class Ticket:
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
