"""Committed events, each once, to any number of followers, through one connection of each server.

Events are read from their table; LISTEN and NOTIFY only say that it is time to look. The order: of one
ticket, that of its changes; of several, that in which this server saw them become visible.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import structlog

from app.db.connections import listening, notify
from app.db.errors import Unavailable
from app.domain.cursor import Cursor, beyond, up_to
from app.domain.model import EngineerId, TicketId
from app.observability.metrics import Metrics
from app.queries import events, server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from app.db.connections import Connection
    from app.db.pool import Database
    from app.domain.model import AssignmentEvent

log = structlog.get_logger()

CHANNEL = "baton_assignment_events"
POLL_INTERVAL_S = 1.0
"""Without a wake-up: one is lost when a server dies between its commit and telling the others."""
_BREATH_S = 0.01
_PAGE = 500
_KEPT = 2000
"""Events in memory; who is further behind reads the table."""
_RECENT = 1000
"""When a server starts, transactions may be open that took one of the newest ids; none took an older one."""


class UnknownCursor(Exception):
    """The cursor is of another database: this one has not come as far."""


class CursorTooOld(Exception):
    """Events that the cursor has not seen were dropped for their age."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a follower is told; None stands for any."""

    ticket_id: TicketId | None = None
    engineer_id: EngineerId | None = None
    """Whose assignments."""
    visible_to: EngineerId | None = None
    """Whose tickets: those that the engineer has or has had."""

    def matches(self, event: AssignmentEvent) -> bool:
        assignment = event.assignment
        return (
            self.ticket_id in (None, assignment.ticket_id)
            and self.engineer_id in (None, assignment.engineer_id)
            and (self.visible_to is None or self.visible_to in event.ticket_engineers)
        )


class FeedItem(NamedTuple):
    """An event, and what has been seen with it."""

    event: AssignmentEvent
    cursor: Cursor


class _Mark(NamedTuple):
    """When all transactions below `transaction` are over, gaps below `event_id` stay empty for ever."""

    transaction: int
    event_id: int


class Feed:
    def __init__(self, url: str, metrics: Metrics | None = None, *, tells_positions: bool = False) -> None:
        """`url` is of the database itself: a pooler does not pass notifications on."""
        self.position: int | None = None
        """Of the primary's log: all that followers have been told is before it. None if nobody asks."""
        self._tells_positions = tells_positions
        self._url = url
        self._metrics = metrics or Metrics()
        self._cursor: Cursor | None = None
        self._recent: deque[FeedItem] = deque(maxlen=_KEPT)
        self._read = 0  # events since the start
        self._news = asyncio.Event()
        self._look = asyncio.Event()
        self._changed_here = False
        self._mark: _Mark | None = None
        self._last: int | None = None  # of `_read`, when the end came

    def notify_changed(self) -> None:
        """To be called when this server has committed a change."""
        self._changed_here = True
        self._look.set()

    def end(self) -> None:
        """Let every follower go, once told what has been read by now; they can follow another server."""
        self._last = self._read
        self._tell()

    async def run(self) -> None:
        """Read until cancelled; when the connection is lost, go on from where it was."""
        while True:
            try:
                async with listening(self._url, CHANNEL, self._look.set) as conn:
                    await self._follow_table(conn)
            except Unavailable as lost:
                log.warning("feed_lost_its_connection", cause=repr(lost.__cause__))
            except Exception:
                log.exception("fault")
            self._metrics.feed_losses.inc()
            await asyncio.sleep(POLL_INTERVAL_S)

    async def follow(
        self, db: Database, wanted: EventFilter, since: Cursor | None = None
    ) -> AsyncGenerator[FeedItem, None]:
        """All wanted events that `since` has not seen, then each new one; without `since`, new ones only.

        A follower costs nothing while it does not ask for the next event, however long. Raises
        UnknownCursor, CursorTooOld; Unavailable, after which to follow again from the last cursor misses
        nothing.
        """
        while self._cursor is None:
            if self._last is not None:
                return
            await self._news.wait()
        now = self._cursor
        if since is not None:
            await _refuse_unknown(db, since)
        seen, place = (now, self._read) if since is None else (since, -1)
        # Not until nothing is new: others may go on changing things faster than this follower is told.
        while self._last is None or place < self._last:
            oldest_kept = self._read - len(self._recent)
            if place < oldest_kept:
                place, goal = self._read, self._cursor
                async for told in _missed(db, wanted, seen, goal):
                    yield told
                seen |= goal
            elif place < self._read:
                event, cursor = self._recent[place - oldest_kept]
                place += 1
                is_new = not seen.contains(event.id)
                seen |= cursor
                if is_new and wanted.matches(event):
                    yield FeedItem(event, seen)
            else:
                await self._news.wait()

    async def _follow_table(self, conn: Connection) -> None:
        cursor = self._cursor or Cursor.after(max(0, (await events.event_id_bounds(conn)).newest - _RECENT))
        while True:
            self._look.clear()
            if self._changed_here:
                self._changed_here = False
                await notify(conn, CHANNEL)
            closed = await self._gaps_closed_below(conn, cursor)
            # Read after it is known that nobody can fill the gaps any more: what was filled is visible now.
            cursor = await self._read_all(conn, cursor)
            cursor = self._cursor = cursor.advance(((0, closed - 1),) if closed else ())
            self._metrics.feed_gaps.set(len(cursor.unseen) - 1)
            self._metrics.feed_looked.set_to_current_time()
            self._tell()
            # One look for what many commits bring in the meantime.
            await asyncio.sleep(_BREATH_S)
            await _set_within(self._look, POLL_INTERVAL_S)

    async def _read_all(self, conn: Connection, cursor: Cursor) -> Cursor:
        found: list[AssignmentEvent] | None = None
        while found is None or len(found) == _PAGE:
            found = await events.within(conn, cursor.unseen, limit=_PAGE)
            if found and self._tells_positions:
                self.position = await server.written_position(conn)
            for event in found:
                cursor = cursor.advance(((event.id, event.id),))
                self._measure_lag(event)
                self._recent.append(FeedItem(event, cursor))
            self._read += len(found)
            if self._cursor is not None:
                self._cursor = cursor  # whatever is in memory, it has seen
        return cursor

    async def _gaps_closed_below(self, conn: Connection, cursor: Cursor) -> int | None:
        """The id below which nothing is missing that could still come; None when that is not known yet."""
        if self._mark is None:
            if cursor.has_gaps:
                self._mark = _Mark(await events.next_transaction_id(conn), cursor.upcoming)
            return None
        if await events.oldest_running_transaction_id(conn) < self._mark.transaction:
            return None
        closed, self._mark = self._mark.event_id, None
        return closed

    def _measure_lag(self, event: AssignmentEvent) -> None:
        if self._cursor is not None:  # what was there before the server is not late
            self._metrics.feed_lag.observe((datetime.now(UTC) - event.occurred_at).total_seconds())

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


async def _refuse_unknown(db: Database, cursor: Cursor) -> None:
    """Another server may have seen more than this one, but not more than was ever numbered."""
    async with db.connection() as conn:
        known = await events.event_id_bounds(conn)
    if cursor.upcoming > known.newest + 1:
        raise UnknownCursor
    if cursor.unseen[0][0] <= known.dropped:
        raise CursorTooOld


async def _missed(db: Database, wanted: EventFilter, seen: Cursor, goal: Cursor) -> AsyncIterator[FeedItem]:
    """What `goal` has seen and `seen` has not, from the table, page by page."""
    difference = missing = seen.difference(goal)
    found: list[AssignmentEvent] | None = None
    while missing and (found is None or len(found) == _PAGE):
        async with db.connection() as conn:
            found = await events.within(
                conn,
                missing,
                limit=_PAGE,
                ticket_id=wanted.ticket_id,
                engineer_id=wanted.engineer_id,
                visible_to=wanted.visible_to,
            )
        for event in found:
            yield FeedItem(event, seen.advance(up_to(difference, event.id)))
        missing = beyond(missing, found[-1].id) if found else ()


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
