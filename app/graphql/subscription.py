"""The subscription root."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry
from strawberry import ID

from app.domain import values
from app.domain.cursor import Cursor
from app.domain.errors import InvalidInput
from app.domain.policy import ReadPermission, visible_to
from app.events import CursorTooOld, EventFilter, FeedItem, UnknownCursor
from app.graphql.arguments import argument, optional, signed_in
from app.graphql.context import Info
from app.graphql.errors import BadUserInput
from app.graphql.types.ticket import AssignmentEvent


@strawberry.type(description="What can be followed.")
class Subscription:
    @strawberry.subscription(
        description="Committed changes of assignments, each once, those of one ticket in their order. An"
        " engineer is told of one's own tickets. After a dropped connection, ask again with the last cursor:"
        " what was missed comes first.",
        graphql_type=AssignmentEvent,
    )
    async def assignment_events(
        self,
        info: Info,
        ticket_id: Annotated[ID | None, strawberry.argument(description="Only of this ticket.")] = None,
        engineer_id: Annotated[
            ID | None, strawberry.argument(description="Only of this engineer's assignments.")
        ] = None,
        after_cursor: Annotated[
            str | None,
            strawberry.argument(description="All that came after this cursor; only what is new without it."),
        ] = None,
    ) -> AsyncGenerator[FeedItem, None]:
        wanted = EventFilter(
            ticket_id=optional(values.ticket_id, "ticketId", ticket_id),
            engineer_id=optional(values.engineer_id, "engineerId", engineer_id),
            visible_to=visible_to(signed_in(info), ReadPermission.ASSIGNMENT_EVENTS),
        )
        since = None if after_cursor is None else argument(_cursor, "afterCursor", after_cursor)
        try:
            with info.context.db.metrics.feed_subscribers.track_inprogress():
                async with aclosing(info.context.feed.follow(info.context.db, wanted, since)) as told:
                    async for each in told:
                        yield each
        except UnknownCursor:
            raise BadUserInput(_not_a_cursor("afterCursor")) from None
        except CursorTooOld:
            raise BadUserInput(_too_old("afterCursor")) from None


def _cursor(name: str, text: object) -> Cursor:
    try:
        return Cursor.parse(str(text))
    except ValueError:
        raise _not_a_cursor(name) from None


def _too_old(name: str) -> InvalidInput:
    return InvalidInput(
        name, "is older than the events that are kept; leave it out to begin anew, and read the tickets again"
    )


def _not_a_cursor(name: str) -> InvalidInput:
    return InvalidInput(name, "must be the cursor of an event of this database; leave it out to begin anew")
