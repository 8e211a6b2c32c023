"""Committed events reach all followers exactly once and in order, also after failures."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

import pytest
import structlog

from app import events as feed_module
from app.db.pool import Database, open_database
from app.domain.cursor import Cursor
from app.domain.model import Assignment
from app.events import EventFilter, Feed, FeedItem, UnknownCursor
from tests.factories import DISPATCHER, Factories

ALL = EventFilter()
TIMEOUT_S = 20
INSERT_EVENT = """
INSERT INTO ticket_events (ticket_id, assignment_id, type, actor, recorded_at, assignment)
SELECT a.ticket_id, a.id, 'rated', $2, now(), to_jsonb(a) FROM engineer_assignments a WHERE a.id = $1
RETURNING id"""


class Follower:
    """Collects the items of a feed until they are read."""

    def __init__(self, items: AsyncGenerator[FeedItem, None]) -> None:
        self._received: asyncio.Queue[FeedItem] = asyncio.Queue()
        self._task = asyncio.create_task(self._collect(items))
        self.cursor: Cursor | None = None

    async def _collect(self, items: AsyncGenerator[FeedItem, None]) -> None:
        async with aclosing(items):
            async for item in items:
                self._received.put_nowait(item)

    async def receive(self, count: int) -> list[FeedItem]:
        async with asyncio.timeout(TIMEOUT_S):
            items = [await self._received.get() for _ in range(count)]
        self.cursor = items[-1].cursor
        return items

    async def receive_one(self) -> FeedItem:
        return (await self.receive(1))[0]

    async def receive_ids(self, count: int) -> list[int]:
        return [item.event.id for item in await self.receive(count)]

    async def receive_actor(self) -> str:
        return (await self.receive_one()).event.actor

    async def receive_types(self, count: int) -> list[str]:
        return [item.event.type for item in await self.receive(count)]

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@asynccontextmanager
async def running(feed: Feed) -> AsyncIterator[Feed]:
    task = asyncio.create_task(feed.run())
    try:
        yield feed
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture(autouse=True)
def _short_poll_interval(monkeypatch) -> None:
    """Most events of these tests are inserted without a notification."""
    monkeypatch.setattr(feed_module, "POLL_INTERVAL_S", 0.05)


@pytest.fixture
async def feed(fresh_url) -> AsyncIterator[Feed]:
    async with running(Feed(fresh_url)) as feed:
        yield feed


@pytest.fixture
async def db(fresh_url, feed) -> AsyncIterator[Database]:
    async with open_database(fresh_url, pool_size=10, on_commit=feed.notify_changed) as db:
        yield db


@pytest.fixture
async def assignment(make: Factories) -> Assignment:
    return await make.assigned()


async def newest_id(db: Database) -> int:
    async with db.connection() as conn:
        return await conn.fetchval("SELECT coalesce(max(id), 0) FROM ticket_events")


async def wait_until_read(feed: Feed, db: Database) -> None:
    """Wait until the feed has read all events."""
    newest = await newest_id(db)
    async with asyncio.timeout(TIMEOUT_S):
        while feed._cursor is None or feed._cursor.upcoming <= newest:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)


@pytest.fixture
async def follow(feed, db) -> AsyncIterator[Callable[..., Awaitable[Follower]]]:
    followers = []

    async def start(
        since: Cursor | None = None, event_filter: EventFilter = ALL, feed: Feed = feed
    ) -> Follower:
        await wait_until_read(feed, db)
        followers.append(Follower(feed.follow(db, event_filter, since)))
        await asyncio.sleep(0)  # lets it start
        return followers[-1]

    yield start
    for follower in followers:
        await follower.stop()


@pytest.fixture
def insert_event(db, assignment) -> Callable[..., Awaitable[int]]:
    """Inserts an event and returns its id; with `tx`, inside that transaction."""

    async def insert(actor: str = "somebody", tx: Any = None) -> int:
        if tx is not None:
            return await tx.fetchval(INSERT_EVENT, assignment.id, actor)
        async with db.connection() as conn:
            return await conn.fetchval(INSERT_EVENT, assignment.id, actor)

    return insert


async def test_an_event_contains_the_assignment_after_the_command(follow, world, assignment):
    follower = await follow()
    accepted = await world.act("accept", assignment)
    event = (await follower.receive_one()).event
    assert (event.type, event.actor, event.assignment) == ("accepted", DISPATCHER.subject, accepted)


async def test_a_late_commit_is_delivered_late_and_not_skipped(follow, db, insert_event):
    follower = await follow()
    async with db.transaction() as slow:
        first = await insert_event("slow", slow)
        second = await insert_event("quick")
        assert first < second
        assert await follower.receive_actor() == "quick"
        resumed = await follow(follower.cursor)
    assert await follower.receive_actor() == "slow"
    assert await resumed.receive_actor() == "slow"
    last = await insert_event()
    assert await follower.receive_ids(1) == [last]


async def test_a_gap_closes_after_a_rollback(follow, db, insert_event):
    follower = await follow()
    with suppress(ZeroDivisionError):
        async with db.transaction() as tx:
            await insert_event("rolled back", tx)
            await insert_event("quick")
            raise ZeroDivisionError
    item = await follower.receive_one()
    assert item.cursor.has_gaps
    async with asyncio.timeout(TIMEOUT_S):
        while item.cursor.has_gaps:
            await asyncio.sleep(0.05)
            await insert_event("later")
            item = await follower.receive_one()


async def test_an_unrelated_long_transaction_delays_nothing(follow, db, insert_event):
    async with db.transaction() as unrelated:
        await unrelated.execute("UPDATE engineers SET name = name")
        follower = await follow()
        await insert_event("meanwhile")
        assert await follower.receive_actor() == "meanwhile"


async def test_a_gap_stays_open_while_its_transaction_runs(follow, db, insert_event):
    follower = await follow()
    async with db.transaction() as slow:
        await insert_event("slow", slow)
        for _ in range(3):
            await insert_event("quick")
            item = await follower.receive_one()
            await asyncio.sleep(feed_module.POLL_INTERVAL_S * 2)
        assert item.cursor.has_gaps
    assert await follower.receive_actor() == "slow"


async def test_a_feed_that_starts_during_a_transaction_misses_nothing(fresh_url, follow, db, insert_event):
    async with db.transaction() as slow:
        await insert_event("slow", slow)
        await insert_event("before the start")
        async with running(Feed(fresh_url)) as late:
            follower = await follow(feed=late)
            await insert_event("after the start")
            assert await follower.receive_actor() == "after the start"
            await slow.execute("COMMIT")
            assert await follower.receive_actor() == "slow"
            await slow.execute("BEGIN")


@pytest.mark.parametrize("buffer_size", [1, 3, 1000])
async def test_a_follower_with_a_cursor_gets_missed_and_new_events(
    monkeypatch, fresh_url, follow, insert_event, buffer_size
):
    monkeypatch.setattr(feed_module, "_BUFFER_SIZE", buffer_size)
    monkeypatch.setattr(feed_module, "_PAGE_SIZE", 2)
    async with running(Feed(fresh_url)) as feed:
        first = await follow(feed=feed)
        await insert_event("received")
        await first.receive(1)
        missed = [await insert_event(f"missed {i}") for i in range(7)]
        resumed = await follow(first.cursor, feed=feed)
        assert await resumed.receive_ids(7) == missed
        last = await insert_event()
        assert await resumed.receive_ids(1) == [last]


async def test_a_slow_follower_gets_every_event(monkeypatch, fresh_url, db, insert_event):
    monkeypatch.setattr(feed_module, "_BUFFER_SIZE", 2)
    async with running(Feed(fresh_url)) as feed:
        await wait_until_read(feed, db)
        async with aclosing(feed.follow(db, ALL)) as items:
            first = asyncio.ensure_future(anext(items))
            await asyncio.sleep(0)
            ids = [await insert_event(str(i)) for i in range(10)]
            await wait_until_read(feed, db)
            received = [await first, *[await anext(items) for _ in range(9)]]
            assert [item.event.id for item in received] == ids


async def test_concurrent_events_arrive_once_and_in_order_of_each_ticket(follow, db, make, world):
    followers = [await follow() for _ in range(3)]
    engineers = [await make.engineer() for _ in range(2)]
    current = [await make.assigned() for _ in range(10)]

    async def reassign(assigned: Assignment) -> None:
        for i in range(6):
            await world.act("reassign", assigned, engineer_id=engineers[i % 2])

    await asyncio.gather(*map(reassign, current))
    async with db.connection() as conn:
        written = await conn.fetch("SELECT id, ticket_id FROM ticket_events ORDER BY id")
    for follower in followers:
        items = await follower.receive(len(written))
        received = [(item.event.id, item.event.assignment.ticket_id) for item in items]
        assert sorted(received) == [tuple(row) for row in written]
        for each in current:
            ids = [event_id for event_id, of_ticket in received if of_ticket == each.ticket_id]
            assert ids == sorted(ids)


async def test_every_cursor_resumes_at_its_position(follow, db, insert_event):
    follower = await follow()
    async with db.transaction() as one, db.transaction() as other:
        await insert_event("one", one)
        await insert_event("plain")
        await insert_event("other", other)
        await insert_event("plain too")
        items = await follower.receive(2)
        await other.execute("COMMIT")
        items += await follower.receive(1)
        await one.execute("COMMIT")
        items += await follower.receive(1)
        await one.execute("BEGIN")
        await other.execute("BEGIN")
    resumed = [await follow(Cursor.parse(str(item.cursor))) for item in items]
    last = await insert_event("last")
    for i, again in enumerate(resumed):
        later = {item.event.id for item in items[i + 1 :]}
        assert set(await again.receive_ids(len(later) + 1)) == later | {last}


async def test_a_follower_gets_only_events_that_match_its_filter(follow, db, make, world, assignment):
    other = await make.assigned()
    # An engineer still sees a ticket after its reassignment.
    expected = (
        (EventFilter(ticket_id=assignment.ticket_id), ["accepted", "reassigned", "assigned"]),
        (EventFilter(engineer_id=assignment.engineer_id), ["accepted", "reassigned"]),
        (EventFilter(visible_to=assignment.engineer_id), ["accepted", "reassigned", "assigned"]),
    )
    live = [await follow(None, event_filter) for event_filter, _ in expected]
    since = Cursor.after(await newest_id(db))
    for accepted in (other, assignment):
        await world.act("accept", accepted)
    await world.act("reassign", assignment, engineer_id=other.engineer_id)
    for follower, (event_filter, types) in zip(live, expected, strict=True):
        assert await follower.receive_types(len(types)) == types
        assert await (await follow(since, event_filter)).receive_types(len(types)) == types


async def test_a_feed_continues_after_its_connection_is_lost(follow, db, insert_event):
    follower = await follow()
    async with db.connection() as conn:
        killed = await conn.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE application_name = 'baton events' AND datname = current_database()"
        )
    assert killed == 1
    ids = [await insert_event(str(i)) for i in range(3)]
    assert await follower.receive_ids(3) == ids


async def test_a_notification_wakes_other_servers(monkeypatch, fresh_url, follow, world, assignment):
    monkeypatch.setattr(feed_module, "POLL_INTERVAL_S", 3600)
    async with running(Feed(fresh_url)) as elsewhere:
        follower = await follow(feed=elsewhere)
        await asyncio.sleep(0.1)  # until it waits for a notification
        await world.act("accept", assignment)
        assert await follower.receive_types(1) == ["accepted"]


@pytest.mark.usefixtures("assignment")
async def test_a_cursor_ahead_of_the_database_is_rejected(feed, db):
    async with aclosing(feed.follow(db, ALL, Cursor.after(10**6))) as items:
        with pytest.raises(UnknownCursor):
            await anext(items)


async def test_close_ends_followers_after_the_events_read_so_far(feed, db, insert_event):
    await wait_until_read(feed, db)
    items = feed.follow(db, ALL)
    first = asyncio.ensure_future(anext(items))
    await asyncio.sleep(0)  # lets it start
    await insert_event("first")
    await first
    await insert_event("before closing")
    await wait_until_read(feed, db)
    feed.close()
    await insert_event("after closing")
    await wait_until_read(feed, db)
    assert [item.event.actor async for item in items] == ["before closing"]


async def test_close_ends_followers_that_wait_for_the_first_read(fresh_url, db):
    feed = Feed(fresh_url)
    item = asyncio.ensure_future(anext(feed.follow(db, ALL), None))
    await asyncio.sleep(0)
    feed.close()
    async with asyncio.timeout(TIMEOUT_S):
        assert await item is None


UNREADABLE_ASSIGNMENTS = (
    '{"time_spent_hours": "two"}',
    '{"assigned_at": "the other day"}',
    '{"engineer_id": "x"}',
)


@pytest.mark.parametrize("unreadable", UNREADABLE_ASSIGNMENTS)
async def test_an_unreadable_event_is_logged_with_its_cursor_and_passed_over(
    feed, follow, db, insert_event, assignment, unreadable
):
    start = await newest_id(db)
    follower = await follow()
    with structlog.testing.capture_logs() as logs:
        async with db.transaction() as tx:
            before = await insert_event("before", tx)
            bad = await tx.fetchval(
                INSERT_EVENT.replace("to_jsonb(a)", "to_jsonb(a) || $3::jsonb"),
                assignment.id,
                "unreadable",
                unreadable,
            )
            after = await insert_event("after", tx)
        assert await follower.receive_ids(2) == [before, after]
        assert [(e["event_id"], e["cursor"]) for e in logs if e["event"] == "unreadable_event"] == [
            (bad, str(Cursor.after(bad)))
        ]
    assert await (await follow(Cursor.after(start))).receive_ids(2) == [before, after]
    assert follower.cursor == Cursor.after(after)
    assert await (await follow(Cursor.after(before), EventFilter(assignment.ticket_id))).receive_ids(1) == [
        after
    ]
