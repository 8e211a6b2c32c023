"""The connection cache: waiters are served in order, and no connection is lost or used twice at once."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db.connections import TimeLimits
from app.db.errors import Unavailable
from app.db.pool import Database, open_database

NAMED = "/* test.pid */ SELECT pg_backend_pid()"
UNNAMED = "SELECT pg_backend_pid()"
SIZE = 3
PATIENCE_S = 10


@pytest.fixture
async def small(shared_url) -> AsyncIterator[Database]:
    async with open_database(shared_url, pool_size=SIZE) as db:
        yield db


async def hold(db: Database, until: asyncio.Event) -> None:
    async with db.connection() as conn:
        await conn.fetch(NAMED)
        await until.wait()


async def hold_all(db: Database, until: asyncio.Event) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(hold(db, until)) for _ in range(SIZE)]
    while db.pool.get_size() < SIZE or db.pool.get_idle_size():  # noqa: ASYNC110 - the pool has no event
        await asyncio.sleep(0)
    return tasks


async def test_heavy_statements_leave_connections_for_others(shared_url):
    async with open_database(shared_url, pool_size=4) as db, AsyncExitStack() as stack:
        heavy = [await stack.enter_async_context(db.connection(heavy=True)) for _ in range(2)]
        waiting = asyncio.create_task(stack.enter_async_context(db.connection(heavy=True)))
        async with asyncio.timeout(PATIENCE_S), db.connection() as first, db.connection() as second:
            assert len({(await conn.fetchrow(NAMED))[0] for conn in (*heavy, first, second)}) == 4
            assert not waiting.done()
        await stack.aclose()
        async with asyncio.timeout(PATIENCE_S):
            await waiting


async def is_complete(db: Database) -> bool:
    """Whether all connections can be acquired at once and are different."""
    async with asyncio.timeout(5), db.connection() as a, db.connection() as b, db.connection() as c:
        return len({(await conn.fetchrow(NAMED))[0] for conn in (a, b, c)}) == SIZE


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), clients=st.integers(1, 20))
async def test_all_connections_return_after_errors_and_cancellations(small, seed, clients):
    rng = random.Random(seed)  # noqa: S311 - no secret
    in_use: set[object] = set()

    async def use() -> None:
        async with small.connection() as conn:
            in_use.add(conn)
            assert len(in_use) <= SIZE
            try:
                await conn.fetch(rng.choice([NAMED, NAMED, UNNAMED]))
                await asyncio.sleep(rng.choice([0, 0, 0.001]))
                if not rng.randrange(4):
                    raise LookupError
            finally:
                in_use.remove(conn)

    tasks = [asyncio.create_task(use()) for _ in range(clients)]
    for task in tasks:
        await asyncio.sleep(rng.choice([0, 0, 0.001]))
        if not rng.randrange(3):
            task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), LookupError, asyncio.CancelledError}
    assert await is_complete(small)


async def test_a_connection_for_a_cancelled_waiter_goes_to_the_next(small):
    cache = small._cache
    conns = [await cache.acquire() for _ in range(SIZE)]
    first, second = (asyncio.create_task(cache.acquire()) for _ in range(2))
    await asyncio.sleep(0)
    await cache.release(conns[0])
    first.cancel()  # after its connection was set as the result, before it ran
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second is conns[0]
    for conn in conns:
        await cache.release(conn)
    assert await is_complete(small)


async def test_a_waiter_times_out_and_leaves_the_queue(shared_url):
    async with open_database(shared_url, pool_size=SIZE, limits=TimeLimits(acquire_s=0.5)) as db:
        release = asyncio.Event()
        tasks = await hold_all(db, release)
        with pytest.raises(Unavailable):
            await hold(db, release)
        release.set()
        await asyncio.gather(*tasks)
        assert await is_complete(db)


async def test_waiters_are_served_in_order(small):
    release = asyncio.Event()
    tasks = await hold_all(small, release)
    served: list[int] = []

    async def use(number: int) -> None:
        async with small.connection() as conn:
            served.append(number)
            await conn.fetch(NAMED)

    for number in range(10):
        tasks.append(asyncio.create_task(use(number)))
        await asyncio.sleep(0)
    release.set()
    await asyncio.gather(*tasks)
    assert served == list(range(10))
