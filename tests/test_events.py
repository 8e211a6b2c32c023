"""Committed events reach their followers, each once and in order, whatever happens on the way."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from app import events as feed_module
from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.reassign import ReassignTicket, reassign_ticket
from app.commands.run import run
from app.db.pool import open_database
from app.domain.cursor import Cursor
from app.events import EventFilter, Feed, UnknownCursor
from tests.factories import DISPATCHER, Factories

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from app.db.pool import Database
    from app.domain.model import Assignment
    from app.events import FeedItem

ALL = EventFilter()
PATIENCE_S = 20
EVENT = """INSERT INTO assignment_events (ticket_id, assignment_id, type, actor, occurred_at, assignment)
    SELECT a.ticket_id, a.id, 'rated', $2, now(), to_jsonb(a) FROM engineer_assignments a WHERE a.id = $1
    RETURNING id"""


class Follower:
    """Somebody who listens from now on; what was told is kept until it is asked for."""

    def __init__(self, told: AsyncGenerator[FeedItem, None]) -> None:
        self._heard: asyncio.Queue[FeedItem] = asyncio.Queue()
        self._listening = asyncio.create_task(self._listen(told))
        self.cursor: Cursor | None = None

    async def _listen(self, told: AsyncGenerator[FeedItem, None]) -> None:
        async with aclosing(told):
            async for each in told:
                self._heard.put_nowait(each)

    async def hears(self, count: int) -> list[FeedItem]:
        async with asyncio.timeout(PATIENCE_S):
            heard = [await self._heard.get() for _ in range(count)]
        self.cursor = heard[-1].cursor
        return heard

    async def hears_actors(self, count: int) -> list[str]:
        return [told.event.actor for told in await self.hears(count)]

    async def hears_nothing_more(self, marker: Callable[[], Awaitable[Any]]) -> None:
        """The next event is the one that `marker` makes."""
        expected = await marker()
        assert (await self.hears(1))[0].event.id == expected

    async def leave(self) -> None:
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)


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
def _looks_often(monkeypatch) -> None:
    """Most of these events come from nobody who would wake the feed."""
    monkeypatch.setattr(feed_module, "POLL_INTERVAL_S", 0.05)


@pytest.fixture
async def feed(fresh_url) -> AsyncIterator[Feed]:
    async with running(Feed(fresh_url)) as feed:
        yield feed


@pytest.fixture
async def db(fresh_url, feed) -> AsyncIterator[Database]:
    """Of its own, since events are numbered through."""
    async with open_database(fresh_url, pool_size=10, changed=feed.notify_changed) as db:
        yield db


@pytest.fixture
async def held(make: Factories) -> Assignment:
    return await make.assigned()


async def caught_up(feed: Feed, db: Database) -> None:
    async with db.connection() as conn:
        newest = await conn.fetchval("SELECT coalesce(max(id), 0) FROM assignment_events")
    async with asyncio.timeout(PATIENCE_S):
        # The feed tells its followers of events, and nobody how far it has read.
        while feed._cursor is None or feed._cursor.upcoming <= newest:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.fixture
async def follow(feed, db) -> AsyncIterator[Callable[..., Awaitable[Follower]]]:
    followers = []

    async def start(since: Cursor | None = None, *, wanted: EventFilter = ALL, of: Feed = feed) -> Follower:
        await caught_up(of, db)
        followers.append(Follower(of.follow(db, wanted, since)))
        await asyncio.sleep(0)  # it listens from here on
        return followers[-1]

    yield start
    for follower in followers:
        await follower.leave()


@pytest.fixture
def tell(db, held) -> Callable[..., Awaitable[int]]:
    """Adds an event and says its id; on a connection of one's own, its transaction is left open."""

    async def tell(actor: str = "somebody", conn: Any = None) -> int:
        if conn is not None:
            return await conn.fetchval(EVENT, held.id, actor)
        async with db.connection() as own:
            return await own.fetchval(EVENT, held.id, actor)

    return tell


async def test_a_command_is_told_with_the_assignment_as_it_was_right_after(follow, db, held):
    follower = await follow()
    accepted = await run(db, DISPATCHER, accept_assignment, AcceptAssignment(assignment_id=held.id))
    [told] = await follower.hears(1)
    assert (told.event.type, told.event.actor, told.event.assignment) == (
        "accepted",
        DISPATCHER.subject,
        accepted,
    )


async def test_what_commits_late_is_told_late_and_not_skipped(follow, db, tell):
    follower = await follow()
    async with db.transaction() as slow:
        first = await tell("slow", slow)
        second = await tell("quick")
        assert first < second
        assert await follower.hears_actors(1) == ["quick"]
        resumed = await follow(follower.cursor)
    assert await follower.hears_actors(1) == ["slow"]
    assert await resumed.hears_actors(1) == ["slow"]
    await follower.hears_nothing_more(tell)


async def test_what_was_rolled_back_is_forgotten_when_nobody_can_still_fill_the_gap(follow, db, tell):
    follower = await follow()
    with suppress(ZeroDivisionError):
        async with db.transaction() as doomed:
            await tell("doomed", doomed)
            await tell("quick")
            raise ZeroDivisionError
    [told] = await follower.hears(1)
    assert told.cursor.has_gaps
    async with asyncio.timeout(PATIENCE_S):
        while told.cursor.has_gaps:
            await asyncio.sleep(0.05)
            await tell("again")
            [told] = await follower.hears(1)


async def test_a_long_transaction_of_others_holds_nobody_up(follow, db, tell):
    async with db.transaction() as unrelated:
        await unrelated.execute("UPDATE engineers SET name = name")
        follower = await follow()
        await tell("meanwhile")
        assert await follower.hears_actors(1) == ["meanwhile"]


async def test_a_gap_stays_open_while_its_transaction_does(follow, db, tell):
    follower = await follow()
    async with db.transaction() as slow:
        await tell("slow", slow)
        for _ in range(3):
            await tell("quick")
            [told] = await follower.hears(1)
            await asyncio.sleep(feed_module.POLL_INTERVAL_S * 2)
        assert told.cursor.has_gaps
    assert await follower.hears_actors(1) == ["slow"]


async def test_a_server_that_starts_amid_an_open_transaction_misses_nothing(fresh_url, follow, db, tell):
    async with db.transaction() as slow:
        await tell("slow", slow)
        await tell("before the start")
        async with running(Feed(fresh_url)) as late:
            follower = await follow(of=late)
            await tell("after the start")
            assert await follower.hears_actors(1) == ["after the start"]
            await slow.execute("COMMIT")
            assert await follower.hears_actors(1) == ["slow"]
            await slow.execute("BEGIN")


@pytest.mark.parametrize("kept", [1, 3, 1000])
async def test_who_comes_back_with_a_cursor_gets_what_was_missed_and_goes_on(
    monkeypatch, fresh_url, follow, db, tell, kept
):
    monkeypatch.setattr(feed_module, "_KEPT", kept)
    monkeypatch.setattr(feed_module, "_PAGE", 2)
    async with running(Feed(fresh_url)) as few:
        first = await follow(of=few)
        await tell("seen")
        await first.hears(1)
        missed = [await tell(f"missed {i}") for i in range(7)]
        again = await follow(first.cursor, of=few)
        assert [told.event.id for told in await again.hears(7)] == missed
        await again.hears_nothing_more(tell)


async def test_a_follower_who_is_slow_is_told_everything_all_the_same(monkeypatch, fresh_url, db, tell):
    monkeypatch.setattr(feed_module, "_KEPT", 2)
    async with running(Feed(fresh_url)) as few:
        await caught_up(few, db)
        async with aclosing(few.follow(db, ALL)) as told:
            first = asyncio.ensure_future(anext(told))
            await asyncio.sleep(0)
            ids = [await tell(str(i)) for i in range(10)]
            await caught_up(few, db)
            rest = [await anext(told) for _ in range(9)] if await first else []
            assert [first.result().event.id, *(each.event.id for each in rest)] == ids


async def test_each_event_of_many_at_once_is_told_once_and_a_tickets_in_order(follow, db, make):
    followers = [await follow() for _ in range(3)]
    engineers = [await make.engineer() for _ in range(2)]
    tickets = [(await make.assigned()).ticket_id for _ in range(10)]

    async def hand_over(ticket_id: Any) -> None:
        for i in range(6):
            command = ReassignTicket(ticket_id=ticket_id, engineer_id=engineers[i % 2], reason="x")
            await run(db, DISPATCHER, reassign_ticket, command)

    await asyncio.gather(*(hand_over(ticket_id) for ticket_id in tickets))
    async with db.connection() as conn:
        written = await conn.fetch("SELECT id, ticket_id FROM assignment_events ORDER BY id")
    for follower in followers:
        heard = [(t.event.id, t.event.assignment.ticket_id) for t in await follower.hears(len(written))]
        assert sorted(heard) == [tuple(row) for row in written]
        for ticket_id in tickets:
            ids = [event_id for event_id, of in heard if of == ticket_id]
            assert ids == sorted(ids)


async def test_every_cursor_on_the_way_resumes_exactly_there(follow, db, tell):
    follower = await follow()
    async with db.transaction() as one, db.transaction() as other:
        await tell("one", one)
        await tell("plain")
        await tell("other", other)
        await tell("plain too")
        heard = await follower.hears(2)
        await other.execute("COMMIT")
        heard += await follower.hears(1)
        await one.execute("COMMIT")
        heard += await follower.hears(1)
        await one.execute("BEGIN")
        await other.execute("BEGIN")
    resumed = [await follow(Cursor.parse(str(told.cursor))) for told in heard]
    marker = await tell("the end")
    for i, again in enumerate(resumed):
        rest = {told.event.id for told in heard[i + 1 :]}
        assert {told.event.id for told in await again.hears(len(rest) + 1)} == rest | {marker}


async def test_only_what_is_wanted_is_told(follow, db, make, held):
    other = await make.assigned()
    of_ticket = await follow(wanted=EventFilter(ticket_id=held.ticket_id))
    of_engineer = await follow(wanted=EventFilter(engineer_id=held.engineer_id))
    own = await follow(wanted=EventFilter(visible_to=held.engineer_id))
    since = (await _before(db)) or Cursor.after(0)
    for assignment in (other, held):
        await run(db, DISPATCHER, accept_assignment, AcceptAssignment(assignment_id=assignment.id))
    # Who once had the ticket still sees what becomes of it.
    await run(
        db,
        DISPATCHER,
        reassign_ticket,
        ReassignTicket(ticket_id=held.ticket_id, engineer_id=other.engineer_id, reason="x"),
    )
    expected = {"ticket": ["accepted", "reassigned", "assigned"], "engineer": ["accepted", "reassigned"]}
    for wanted, live, types in (
        (EventFilter(ticket_id=held.ticket_id), of_ticket, expected["ticket"]),
        (EventFilter(engineer_id=held.engineer_id), of_engineer, expected["engineer"]),
        (EventFilter(visible_to=held.engineer_id), own, expected["ticket"]),
    ):
        later = await follow(since, wanted=wanted)
        for follower in (live, later):
            assert [told.event.type for told in await follower.hears(len(types))] == types


async def _before(db: Database) -> Cursor:
    async with db.connection() as conn:
        return Cursor.after(await conn.fetchval("SELECT max(id) FROM assignment_events"))


async def test_when_its_connection_is_lost_it_goes_on_where_it_was(follow, db, tell):
    follower = await follow()
    async with db.connection() as conn:
        killed = await conn.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE application_name = 'baton events' AND datname = current_database()"
        )
    assert killed == 1
    ids = [await tell(str(i)) for i in range(3)]
    assert [told.event.id for told in await follower.hears(3)] == ids


async def test_another_server_is_woken_without_waiting_for_its_next_look(
    monkeypatch, fresh_url, follow, db, held
):
    monkeypatch.setattr(feed_module, "POLL_INTERVAL_S", 3600)
    async with running(Feed(fresh_url)) as elsewhere:
        follower = await follow(of=elsewhere)
        await asyncio.sleep(0.1)  # it has looked, and waits to be woken
        await run(db, DISPATCHER, accept_assignment, AcceptAssignment(assignment_id=held.id))
        assert [told.event.type for told in await follower.hears(1)] == ["accepted"]


async def test_a_cursor_that_the_database_has_not_reached_is_refused(feed, db, held):
    async with aclosing(feed.follow(db, ALL, Cursor.after(10**6))) as told:
        with pytest.raises(UnknownCursor):
            await anext(told)


async def test_at_the_end_all_are_told_what_was_read_and_wait_for_nothing_newer(feed, db, tell):
    await caught_up(feed, db)
    told = feed.follow(db, ALL)
    first = asyncio.ensure_future(anext(told))
    await asyncio.sleep(0)  # it listens from here on
    await tell("first")
    await first
    await tell("before the end")
    await caught_up(feed, db)
    feed.end()
    await tell("after the end")
    await caught_up(feed, db)
    assert [each.event.actor async for each in told] == ["before the end"]


async def test_who_follows_before_anything_was_read_is_let_go_at_the_end(fresh_url, db):
    feed = Feed(fresh_url)
    told = asyncio.ensure_future(anext(feed.follow(db, ALL), None))
    await asyncio.sleep(0)
    feed.end()
    async with asyncio.timeout(PATIENCE_S):
        assert await told is None
