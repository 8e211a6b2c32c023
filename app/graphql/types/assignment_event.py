"""The type AssignmentEvent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from strawberry import Parent

from app.domain import model
from app.events import FeedItem
from app.graphql.context import Context
from app.graphql.types.batch_resolvers import BatchResult, load_tickets
from app.graphql.types.declarations import batched_field, field, resolver_field, type_for


@type_for(FeedItem, "A committed change of one assignment.")
class AssignmentEvent:
    cursor: str = field("Opaque position in the stream; resume after it with `afterCursor`.")

    @resolver_field(
        "What happened, as one word in lower case, for example `escalated`. New values may be added without"
        " notice."
    )
    def type(root: Parent[FeedItem]) -> str:
        return root.event.type

    @batched_field(model.Ticket, "The ticket in its current state.")
    def ticket(items: Sequence[FeedItem], context: Context) -> BatchResult:
        return load_tickets([item.event for item in items], context)

    @resolver_field("The assignment as it was immediately after the change.")
    def assignment(root: Parent[FeedItem]) -> model.Assignment:
        assert root.event.assignment is not None  # noqa: S101 - of the types that the subscription selects
        return root.event.assignment

    @resolver_field("Who made the change: the subject of their token.")
    def actor(root: Parent[FeedItem]) -> str:
        return root.event.actor

    @resolver_field("When the change was made, by the clock of the database.")
    def occurred_at(root: Parent[FeedItem]) -> datetime:
        return root.event.recorded_at
