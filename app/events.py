"""Delivers committed events, each exactly once, to any number of followers, over one connection per server.

Events are read from their table; LISTEN and NOTIFY only trigger the read. Events of one ticket are delivered
in the order of its changes, those of different tickets in the order in which this server first sees them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import structlog

from app.db.connections import listen, notify
from app.db.errors import Unavailable
from app.domain.cursor import Cursor, beyond, up_to
from app.domain.events import EventType
from app.domain.model import EngineerId, TicketId
from app.observability.metrics import Metrics
from app.queries import events, server
from app.queries.events import UnreadableEvent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from app.db.connections import Connection
    from app.db.pool import Database
    from app.domain.events import TicketEvent

log = structlog.get_logger()

CHANNEL = "baton_assignment_events"
POLL_INTERVAL_S = 1.0
"""Without a notification, which is lost if a server dies between its commit and NOTIFY."""
_MIN_INTERVAL_S = 0.01
_PAGE_SIZE = 500
_BUFFER_SIZE = 2000
"""Events in memory; followers that are further behind read the table."""
_STARTUP_OVERLAP = 1000
"""At startup, running transactions may still insert any of this many newest ids, but no older one."""


class UnknownCursor(Exception):
    """The cursor is ahead of this database, so it belongs to another one."""


class CursorTooOld(Exception):
    """Events that the cursor has not seen have been dropped."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """The events a follower receives; a condition of None matches any event."""

    ticket_id: TicketId | None = None
    engineer_id: EngineerId | None = None
    """The engineer of the assignment."""
    visible_to: EngineerId | None = None
    """An engineer who has or had an assignment of the ticket."""
    types: tuple[EventType, ...] | None = None

    def matches(self, event: TicketEvent) -> bool:
        engineer_id = None if event.assignment is None else event.assignment.engineer_id
        return (
            self.ticket_id in (None, event.ticket_id)
            and self.engineer_id in (None, engineer_id)
            and (self.types is None or event.type in self.types)
            and (self.visible_to is None or self.visible_to in event.ticket_engineers)
        )


class FeedItem(NamedTuple):
    """An event, and the cursor after it."""

    event: TicketEvent
    cursor: Cursor


class _GapCheck(NamedTuple):
    """Once all transactions below `transaction_id` have ended, missing ids below `event_id` stay missing."""

    transaction_id: int
    event_id: int


class Feed:
    def __init__(self, url: str, metrics: Metrics | None = None, *, tracks_position: bool = False) -> None:
        """`url` connects to the database directly: a pooler does not forward notifications."""
        self.position: int | None = None
        """The primary's WAL position after all delivered events; None unless `tracks_position`."""
        self._tracks_position = tracks_position
        self._url = url
        self._metrics = metrics or Metrics()
        self._cursor: Cursor | None = None
        self._buffer: deque[FeedItem] = deque(maxlen=_BUFFER_SIZE)
        self._read_count = 0  # events since the start
        self._new_events = asyncio.Event()
        self._read_requested = asyncio.Event()
        self._must_notify = False
        self._gap_check: _GapCheck | None = None
        self._closed_at: int | None = None  # the read count when the feed was closed

    def notify_changed(self) -> None:
        """Call after this server has committed a change."""
        self._must_notify = True
        self._read_requested.set()

    def close(self) -> None:
        """End all followers after the events read so far. They can resume on another server."""
        self._closed_at = self._read_count
        self._wake_followers()

    async def run(self) -> None:
        """Read until cancelled. After a lost connection, reconnect and continue from the same cursor."""
        while True:
            try:
                async with listen(self._url, CHANNEL, self._read_requested.set) as conn:
                    await self._poll(conn)
            except Unavailable as error:
                log.warning("feed_lost_its_connection", cause=repr(error.__cause__))
            except Exception:
                log.exception("fault")
            self._metrics.feed_reconnects.inc()
            await asyncio.sleep(POLL_INTERVAL_S)

    async def follow(
        self, db: Database, event_filter: EventFilter, since: Cursor | None = None
    ) -> AsyncGenerator[FeedItem, None]:
        """Yield all matching events that `since` has not seen, then each new one; None: new ones only.

        Costs nothing while the caller does not ask for the next event. Raises UnknownCursor, CursorTooOld,
        and Unavailable, after which the caller can resume from the last cursor without missing an event.
        """
        while self._cursor is None:
            if self._closed_at is not None:
                return
            await self._new_events.wait()
        current = self._cursor
        if since is not None:
            await _check_cursor(db, since)
        seen, index = (current, self._read_count) if since is None else (since, -1)
        # Bounded by the count at closing: new events may keep arriving faster than this follower reads.
        while self._closed_at is None or index < self._closed_at:
            buffer_start = self._read_count - len(self._buffer)
            if index < buffer_start:
                index, target = self._read_count, self._cursor
                async for item in _read_missed(db, event_filter, seen, target):
                    yield item
                seen |= target
            elif index < self._read_count:
                event, cursor = self._buffer[index - buffer_start]
                index += 1
                is_new = not seen.contains(event.id)
                seen |= cursor
                if is_new and event_filter.matches(event):
                    yield FeedItem(event, seen)
            else:
                await self._new_events.wait()

    async def _poll(self, conn: Connection) -> None:
        newest = (await events.event_id_bounds(conn)).newest
        cursor = self._cursor or Cursor.after(max(0, newest - _STARTUP_OVERLAP))
        while True:
            self._read_requested.clear()
            if self._must_notify:
                self._must_notify = False
                await notify(conn, CHANNEL)
            final_below = await self._final_gaps_below(conn, cursor)
            # Read after the gaps are known to be final, so that ids filled before that are visible.
            cursor = await self._read_new(conn, cursor)
            cursor = self._cursor = cursor.advance(((0, final_below - 1),) if final_below else ())
            self._metrics.feed_gaps.set(len(cursor.unseen) - 1)
            self._metrics.feed_last_poll.set_to_current_time()
            self._wake_followers()
            # Read the events of many commits at once.
            await asyncio.sleep(_MIN_INTERVAL_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_INTERVAL_S):
                    await self._read_requested.wait()

    async def _read_new(self, conn: Connection, cursor: Cursor) -> Cursor:
        page: Sequence[TicketEvent | UnreadableEvent] | None = None
        while page is None or len(page) == _PAGE_SIZE:
            page = await events.within(conn, cursor.unseen, limit=_PAGE_SIZE)
            if page and self._tracks_position:
                self.position = await server.written_position(conn)
            for event in page:
                cursor = cursor.advance(((event.id, event.id),))
                if isinstance(event, UnreadableEvent):
                    _log_unreadable(event, cursor)
                    continue
                self._buffer.append(FeedItem(event, cursor))
                self._read_count += 1
                if self._cursor is not None:  # events from before the start are not late
                    self._metrics.feed_lag.observe((datetime.now(UTC) - event.recorded_at).total_seconds())
            if self._cursor is not None:
                self._cursor = cursor  # includes everything in the buffer
        return cursor

    async def _final_gaps_below(self, conn: Connection, cursor: Cursor) -> int | None:
        """Return the id below which missing events can no longer appear; None if not known yet."""
        if self._gap_check is None:
            if cursor.has_gaps:
                self._gap_check = _GapCheck(await events.next_transaction_id(conn), cursor.upcoming)
            return None
        if await events.oldest_running_transaction_id(conn) < self._gap_check.transaction_id:
            return None
        event_id, self._gap_check = self._gap_check.event_id, None
        return event_id

    def _wake_followers(self) -> None:
        new_events, self._new_events = self._new_events, asyncio.Event()
        new_events.set()


async def _check_cursor(db: Database, cursor: Cursor) -> None:
    """Raises UnknownCursor, CursorTooOld. A cursor of another server may be ahead of this server's."""
    async with db.connection() as conn:
        bounds = await events.event_id_bounds(conn)
    if cursor.upcoming > bounds.newest + 1:
        raise UnknownCursor
    if cursor.unseen[0][0] <= bounds.dropped:
        raise CursorTooOld


async def _read_missed(
    db: Database, event_filter: EventFilter, seen: Cursor, target: Cursor
) -> AsyncIterator[FeedItem]:
    """Read the events between `seen` and `target` from the table, page by page."""
    difference = remaining = seen.difference(target)
    page: Sequence[TicketEvent | UnreadableEvent] | None = None
    while remaining and (page is None or len(page) == _PAGE_SIZE):
        async with db.connection() as conn:
            page = await events.within(conn, remaining, limit=_PAGE_SIZE, **asdict(event_filter))
        for event in page:
            cursor = seen.advance(up_to(difference, event.id))
            if isinstance(event, UnreadableEvent):
                _log_unreadable(event, cursor)
            else:
                yield FeedItem(event, cursor)
        remaining = beyond(remaining, page[-1].id) if page else ()


def _log_unreadable(event: UnreadableEvent, cursor: Cursor) -> None:
    """Followers do not get the event."""
    log.error("unreadable_event", event_id=event.id, cursor=str(cursor), cause=repr(event.error))
