"""The nodes clients see, each a view of one domain object.

A plain field is the object's attribute of the same name; an edge goes through a loader.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar
from uuid import UUID

import strawberry
from strawberry import ID, Parent

from app.domain import history, model
from app.domain.lifecycle import ACTIVE
from app.events import FeedItem
from app.execution.completion import InstanceCheck
from app.graphql.context import Context, Info
from app.graphql.fields import BatchResolverFn, BatchResult, batched_field, gather_results, load_each
from app.graphql.loaders import EngineerPage, EngineerTotal
from app.graphql.pagination import (
    DEFAULT_PAGE,
    After,
    Connection,
    First,
    Page,
    checked_first,
    key_after,
    moment,
)
from app.graphql.types import enums  # noqa: F401 - describes the enums before a type uses one
from app.queries import engineers

T = TypeVar("T", bound=type)


def type_for(source: type, description: str) -> Callable[[T], T]:
    """Make a GraphQL type of a class whose instances are `source` objects."""

    def make(cls: T) -> T:
        cls.is_type_of = staticmethod(InstanceCheck(source))  # type: ignore[attr-defined]
        return strawberry.type(cls, description=description)

    return make


def field(description: str) -> Any:  # noqa: ANN401 - takes the type of its annotation
    return strawberry.field(description=description)


def engineers_of(of: Sequence[Any], context: Context) -> BatchResult:
    """Of anything that has an `engineer_id`."""
    return load_each(context.loaders.engineer, (one.engineer_id for one in of))


def tickets_of(of: Sequence[Any], context: Context) -> BatchResult:
    """Of anything that has a `ticket_id`."""
    return load_each(context.loaders.ticket, (one.ticket_id for one in of))


def equipment_of(about: Sequence[model.Ticket | model.Assignment], context: Context) -> BatchResult:
    return load_each(context.loaders.equipment, (item.equipment_id for item in about))


def histories_of(tickets: Sequence[model.Ticket], context: Context) -> BatchResult:
    return load_each(context.loaders.assignment_history, (ticket.id for ticket in tickets))


def from_history(tell: Callable[[list[model.Assignment]], Any]) -> BatchResolverFn:
    """What the history of each ticket adds up to."""

    async def told(tickets: Sequence[model.Ticket], context: Context) -> list[Any]:
        found = await gather_results(histories_of(tickets, context))
        return [past if isinstance(past, Exception) else tell(past) for past in found]

    return told


@type_for(model.PartUsed, "A spare part that went into the equipment.")
class PartUsed:
    part_number: str = field("The maker's number.")
    part_name: str = field("What it is.")
    quantity: int = field("How many.")
    cost: Decimal = field("What one costs, two decimals.")


@strawberry.input(description="A spare part that went into the equipment.")
class PartUsedInput:
    part_number: str = field("The maker's number.")
    part_name: str = field("What it is.")
    quantity: int = field("How many, 1 or more.")
    cost: Decimal = field("What one costs, two decimals at most.")


@type_for(model.Equipment, "The device that a ticket is about.")
class Equipment:
    id: ID = field("Its id.")
    name: str = field("What people call it.")
    serial_number: str | None = field("The maker's serial number.")
    manufacturer: str | None = field("Who made it.")
    model: str | None = field("Which model it is.")
    category: str | None = field("What kind of device it is.")


@type_for(model.Engineer, "Somebody who repairs equipment.")
class Engineer:
    id: ID = field("The engineer's id.")
    name: str = field("The engineer's name.")
    email: str | None = field("Where to write to.")
    level: int = field("Skill, 1 to 3. Not the tier, which says whose people are asked.")
    region: str | None = field("Where the engineer works.")
    skills: list[str] = field("What the engineer is trained in.")
    is_active: bool = field("Takes work now.")

    @batched_field(int, "How many tickets the engineer holds now.")
    async def active_assignments(engineers: Sequence[model.Engineer], context: Context) -> list[Any]:
        found = await gather_results(
            load_each(context.loaders.active_assignments, (engineer.id for engineer in engineers))
        )
        return [
            0 if count is None else count if isinstance(count, Exception) else count.assignments
            for count in found
        ]

    @strawberry.field(
        description="What the engineer was given, newest first.",
        graphql_type=Connection[Annotated["Assignment", strawberry.lazy("app.graphql.types.ticket")]],
    )
    async def assignments(
        root: Parent[model.Engineer],
        info: Info,
        status: Annotated[
            list[model.AssignmentStatus] | None, strawberry.argument(description="Only these statuses.")
        ] = None,
        first: First = DEFAULT_PAGE,
        after: After = None,
    ) -> Page[model.Assignment]:
        statuses = None if status is None else tuple(status)
        key = key_after(after, moment, UUID)
        loaders = info.context.loaders
        size = checked_first(first)
        found = await loaders.engineer_page.load(EngineerPage(root.id, statuses, key, size + 1))

        async def count() -> int:
            total = await loaders.engineer_total.load(EngineerTotal(root.id, statuses))
            return total[0].assignments if total else 0

        return Page(found, size, after, key=lambda a: (a.assigned_at, a.id), count=count)


@type_for(engineers.Suggestion, "An engineer who could be given a ticket, and what speaks for them.")
class EngineerSuggestion:
    engineer: Engineer = field("Who.")
    matching_skills: list[str] = field("Their skills that name the equipment's category, model or maker.")
    same_region: bool = field(
        "They work where the one works who was sent first about the customer's newest ticket."
    )
    active_assignments: int = field("How many tickets they hold now.")


@type_for(model.Assignment, "One engineer's turn on a ticket: why, when, how long, and how it ended.")
class Assignment:
    id: ID = field("Its id.")
    assignment_sequence: int = field("1 for the ticket's first assignment, then 2, 3, … without a gap.")
    assignment_tier: int = field("Whose people were asked: 1 OEM to 5 Hospital.")
    assignment_tier_name: str = field("What the tier is called.")
    assignment_reason: str | None = field("Why this engineer.")
    assignment_type: model.AssignmentType = field("How it came about.")
    status: model.AssignmentStatus = field("Where it stands.")
    assigned_by: str | None = field("Who gave it, as their token named them.")
    assigned_at: datetime = field("When it was given.")
    accepted_at: datetime | None = field("When the engineer took it.")
    rejected_at: datetime | None = field("When the engineer declined it.")
    started_at: datetime | None = field("When the work began.")
    completed_at: datetime | None = field("When it was completed, failed, was escalated or was cancelled.")
    rejection_reason: str | None = field("Why the engineer declined.")
    escalation_reason: str | None = field("Why it went to a higher tier.")
    cancellation_reason: str | None = field("Why it was taken back or handed over.")
    completion_status: model.CompletionStatus | None = field("How the work came out.")
    time_spent_hours: Decimal | None = field("Hours worked, two decimals.")
    diagnosis: str | None = field("What was wrong.")
    actions_taken: str | None = field("What was done.")
    parts_used: list[PartUsed] = field("The parts that were used.")
    notes: str | None = field("Anything else worth keeping.")
    customer_rating: int | None = field("1, the worst, to 5, the best.")
    customer_feedback: str | None = field("The customer's words.")
    created_at: datetime = field("When the row was made.")
    updated_at: datetime = field("When the row last changed.")

    @strawberry.field(description="It is the one that holds the ticket now.")
    def is_current(root: Parent[model.Assignment]) -> bool:
        return root.status in ACTIVE

    ticket = batched_field(
        Annotated["Ticket", strawberry.lazy("app.graphql.types.ticket")], "The ticket it belongs to."
    )(tickets_of)
    engineer = batched_field(Engineer, "Who was given the ticket.")(engineers_of)
    equipment = batched_field(Equipment | None, "The device it was about.")(equipment_of)


@type_for(history.EngineerTime, "One engineer's part in a ticket's hours.")
class EngineerTime:
    time_spent_hours: Decimal = field("Their hours, two decimals.")
    assignments: int = field("How many times they were given the ticket.")

    engineer = batched_field(Engineer, "Who.")(engineers_of)


@type_for(model.Ticket, "A fault on a piece of equipment, and everybody who was asked to repair it.")
class Ticket:
    id: ID = field("Its id.")
    ticket_number: str = field("The number that people use.")
    status: model.TicketStatus = field("Where it stands.")
    priority: model.TicketPriority = field("How urgent it is.")
    customer_name: str | None = field("Whose equipment it is.")
    issue_category: str | None = field("What kind of fault it is.")
    issue_description: str | None = field("The fault in the customer's words.")
    created_at: datetime = field("When it was reported.")
    updated_at: datetime = field("When it last changed.")
    started_at: datetime | None = field("When somebody first began to work on it.")
    resolved_at: datetime | None = field("When the fault was gone.")
    closed_at: datetime | None = field("When it was filed.")

    equipment = batched_field(Equipment | None, "The device it is about.")(equipment_of)

    @batched_field(Assignment | None, "Who holds it now; null when nobody does.")
    def current_assignment(tickets: Sequence[model.Ticket], context: Context) -> BatchResult:
        return load_each(context.loaders.current_assignment, (ticket.id for ticket in tickets))

    assignment_history = batched_field(
        list[Assignment], "Everybody it was given to, by sequence, first to last."
    )(histories_of)
    escalation_count = batched_field(int, "How often it went to a higher tier.")(
        from_history(history.escalation_count)
    )
    total_time_spent_hours = batched_field(Decimal, "Everybody's hours together, two decimals.")(
        from_history(history.total_hours)
    )
    time_by_engineer = batched_field(
        list[EngineerTime], "The hours of each engineer, in the order in which they first had the ticket."
    )(from_history(history.time_by_engineer))


@type_for(FeedItem, "A change of one assignment, as it was committed.")
class AssignmentEvent:
    cursor: str = field("How far you have followed with it; `afterCursor` takes it. Opaque.")

    @strawberry.field(description="What happened, in one lower-case word such as `escalated`; more may come.")
    def type(root: Parent[FeedItem]) -> str:
        return root.event.type

    @batched_field(Ticket, "The ticket, as it is now.")
    def ticket(events: Sequence[FeedItem], context: Context) -> BatchResult:
        return tickets_of([told.event.assignment for told in events], context)

    @strawberry.field(
        description="The assignment, as it was right after the change.", graphql_type=Assignment
    )
    def assignment(root: Parent[FeedItem]) -> model.Assignment:
        return root.event.assignment

    @strawberry.field(description="Who did it, as their token named them.")
    def actor(root: Parent[FeedItem]) -> str:
        return root.event.actor

    @strawberry.field(description="When, by the database's clock.")
    def occurred_at(root: Parent[FeedItem]) -> datetime:
        return root.event.occurred_at


@type_for(model.HourlyRate, "What an hour of an engineer costs, from a moment until that of the next rate.")
class HourlyRate:
    hourly_rate: Decimal = field("What an hour costs, two decimals.")
    valid_from: datetime = field("From when on: it is the rate of work that ended then or later.")
    set_by: str = field("Who set it, as their token named them.")
    set_at: datetime = field("When it was set. Of two for the same moment, the one that was set later holds.")

    engineer = batched_field(Engineer, "Whose hour.")(engineers_of)


@type_for(model.Actor, "Who is signed in.")
class Viewer:
    subject: str = field("The name in the token.")
    role: model.Role = field("What they may do.")

    engineer = batched_field(Engineer | None, "Who they are among the engineers, where they are one.")(
        engineers_of
    )
