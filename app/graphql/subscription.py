"""The root type Subscription."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry
from strawberry import ID

from app.domain import values
from app.domain.cursor import Cursor
from app.domain.errors import InvalidInput
from app.domain.events import ASSIGNMENT_EVENTS, EventType
from app.domain.policy import ReadPermission, visible_to
from app.events import CursorTooOld, EventFilter, FeedItem, UnknownCursor
from app.graphql.arguments import argument, described, optional
from app.graphql.context import Info
from app.graphql.errors import BadUserInput
from app.graphql.types.assignment_event import AssignmentEvent
from app.graphql.types.ticket_event import TicketEventUpdate


@strawberry.type(description="Real-time updates.")
class Subscription:
    @strawberry.subscription(
        description="Committed changes of assignments, each exactly once. The changes of one ticket arrive in"
        " the order in which they were made. An engineer gets only tickets that are or were assigned to them."
        " After a lost connection, subscribe again with the last cursor: missed events are sent first.",
        graphql_type=AssignmentEvent,
    )
    async def assignment_events(
        self,
        info: Info,
        ticket_id: Annotated[ID | None, described("Only events of this ticket.")] = None,
        engineer_id: Annotated[ID | None, described("Only events of this engineer's assignments.")] = None,
        after_cursor: Annotated[
            str | None, described("Start after this cursor; with new events only by default.")
        ] = None,
    ) -> AsyncGenerator[FeedItem, None]:
        filter = EventFilter(
            ticket_id=optional(values.ticket_id, "ticketId", ticket_id),
            engineer_id=optional(values.engineer_id, "engineerId", engineer_id),
            visible_to=visible_to(info.context.actor, ReadPermission.ASSIGNMENT_EVENTS),
            types=ASSIGNMENT_EVENTS,
        )
        async with aclosing(_follow(info, filter, after_cursor)) as items:
            async for item in items:
                yield item

    @strawberry.subscription(
        description="Committed events of tickets and their assignments, each exactly once; otherwise like"
        " `assignmentEvents`. Cursors are valid for both.",
        graphql_type=TicketEventUpdate,
    )
    async def ticket_events(
        self,
        info: Info,
        ticket_id: Annotated[ID | None, described("Only events of this ticket.")] = None,
        engineer_id: Annotated[ID | None, described("Only events of this engineer's assignments.")] = None,
        types: Annotated[
            list[EventType] | None, described("Only events of these types; all by default.")
        ] = None,
        after_cursor: Annotated[
            str | None, described("Start after this cursor; with new events only by default.")
        ] = None,
    ) -> AsyncGenerator[FeedItem, None]:
        filter = EventFilter(
            ticket_id=optional(values.ticket_id, "ticketId", ticket_id),
            engineer_id=optional(values.engineer_id, "engineerId", engineer_id),
            visible_to=visible_to(info.context.actor, ReadPermission.TICKET_EVENTS),
            types=None if types is None else tuple(types),
        )
        async with aclosing(_follow(info, filter, after_cursor)) as items:
            async for item in items:
                yield item


async def _follow(
    info: Info, filter: EventFilter, after_cursor: str | None
) -> AsyncGenerator[FeedItem, None]:
    cursor = None if after_cursor is None else argument(_parse_cursor, "afterCursor", after_cursor)
    context = info.context
    try:
        with context.db.metrics.feed_subscribers.track_inprogress():
            async with aclosing(context.feed.follow(context.db, filter, cursor)) as items:
                async for item in items:
                    yield item
    except UnknownCursor:
        raise BadUserInput(_unknown_cursor("afterCursor")) from None
    except CursorTooOld:
        problem = (
            "is older than the events that are kept; omit it for new events only, and reload the tickets"
        )
        raise BadUserInput(InvalidInput("afterCursor", problem)) from None


def _parse_cursor(name: str, text: object) -> Cursor:
    try:
        return Cursor.parse(str(text))
    except ValueError:
        raise _unknown_cursor(name) from None


def _unknown_cursor(name: str) -> InvalidInput:
    return InvalidInput(name, "must be the cursor of an event of this database; omit it for new events only")
