"""Connections go from hand to hand: nobody waits in vain, none is lost, none is lent twice."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db.connections import TimeLimits
from app.db.errors import Unavailable
from app.db.pool import open_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.db.pool import Database

NAMED = "/* test.pid */ SELECT pg_backend_pid()"
STRANGE = "SELECT pg_backend_pid()"
SIZE = 3


@pytest.fixture
async def small(shared_url) -> AsyncIterator[Database]:
    async with open_database(shared_url, pool_size=SIZE) as db:
        yield db


async def hold(db: Database, until: asyncio.Event) -> None:
    async with db.connection() as conn:
        await conn.fetch(NAMED)
        await until.wait()


async def all_held(db: Database, until: asyncio.Event) -> list[asyncio.Task[None]]:
    holders = [asyncio.create_task(hold(db, until)) for _ in range(SIZE)]
    while db.pool.get_size() < SIZE or db.pool.get_idle_size():  # noqa: ASYNC110 - the pool says nothing
        await asyncio.sleep(0)
    return holders


async def is_whole(db: Database) -> bool:
    """As many can be had at once as the pool may lend, and all are different."""
    async with asyncio.timeout(5), db.connection() as a, db.connection() as b, db.connection() as c:
        return len({(await conn.fetchrow(NAMED))[0] for conn in (a, b, c)}) == SIZE


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), people=st.integers(1, 20))
async def test_whatever_becomes_of_who_asks_all_connections_come_back(small, seed, people):
    dice = random.Random(seed)  # noqa: S311 - no secret

    async def ask() -> None:
        async with small.connection() as conn:
            held.add(conn)
            assert len(held) <= SIZE
            try:
                await conn.fetch(dice.choice([NAMED, NAMED, STRANGE]))
                await asyncio.sleep(dice.choice([0, 0, 0.001]))
                if not dice.randrange(4):
                    raise LookupError
            finally:
                held.remove(conn)

    held: set[object] = set()
    tasks = [asyncio.create_task(ask()) for _ in range(people)]
    for task in tasks:
        await asyncio.sleep(dice.choice([0, 0, 0.001]))
        if not dice.randrange(3):
            task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(end) for end in ends} <= {type(None), LookupError, asyncio.CancelledError}
    assert await is_whole(small)


async def test_a_connection_that_comes_too_late_goes_to_the_next(small):
    lending = small._cache
    conns = [await lending.acquire() for _ in range(SIZE)]
    first, second = (asyncio.create_task(lending.acquire()) for _ in range(2))
    await asyncio.sleep(0)
    await lending.release(conns[0])
    first.cancel()  # it has been given the connection, and has not run since
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second is conns[0]
    for conn in conns:
        await lending.release(conn)
    assert await is_whole(small)


async def test_who_waits_too_long_is_told_and_leaves_the_line(shared_url):
    async with open_database(shared_url, pool_size=SIZE, limits=TimeLimits(acquire_s=0.05)) as db:
        release = asyncio.Event()
        holders = await all_held(db, release)
        with pytest.raises(Unavailable):
            await hold(db, release)
        release.set()
        await asyncio.gather(*holders)
        assert await is_whole(db)


async def test_they_are_served_in_the_order_in_which_they_came(small):
    release = asyncio.Event()
    holders = await all_held(small, release)
    served: list[int] = []

    async def ask(number: int) -> None:
        async with small.connection() as conn:
            served.append(number)
            await conn.fetch(NAMED)

    waiting = []
    for number in range(10):
        waiting.append(asyncio.create_task(ask(number)))
        await asyncio.sleep(0)
    release.set()
    await asyncio.gather(*holders, *waiting)
    assert served == sorted(served)
