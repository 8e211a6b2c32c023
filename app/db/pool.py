"""The connection pool, and the one place where a transaction starts."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Hashable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

import asyncpg

from app.db import pooler
from app.db.connection_cache import ConnectionCache
from app.db.connections import DEFAULT_LIMITS, Autocommit, TimeLimits, Tx
from app.db.errors import (
    CONNECTION_LOST,
    NOT_CONNECTED,
    RETRYABLE,
    UNAVAILABLE_ERRORS,
    OutcomeUnknown,
    Unavailable,
    had_no_effect,
    is_concurrent_insert,
    is_retryable,
)
from app.db.session import instrumented, reset_session
from app.observability.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Collection

    from app.db.connection_cache import PooledConnection
    from app.db.connections import Connection

ATTEMPTS = 5
_ANSWER_ON_ITS_WAY_S = 2
_STATEMENTS_KEPT = 300
"""Prepared, of each connection: all of ours, with room for those that leave columns out."""
_UNCOUNTED = 2**62

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Database:
    pool: asyncpg.Pool[Any]
    limits: TimeLimits = DEFAULT_LIMITS
    changed: Callable[[], object] = lambda: None
    """Called when a transaction that may have changed something was committed."""
    metrics: Metrics = field(default_factory=Metrics)
    _running: set[asyncio.Task[Any]] = field(default_factory=set, init=False)
    _locks: WeakValueDictionary[Hashable, asyncio.Lock] = field(
        default_factory=WeakValueDictionary, init=False
    )
    _cache: ConnectionCache = field(init=False)

    def __post_init__(self) -> None:
        self._cache = ConnectionCache(self.pool, self.limits.acquire_s, self.metrics)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Raises Unavailable, also where the block meets a fault of the database."""
        conn = await self._acquired()
        try:
            yield conn
        except UNAVAILABLE_ERRORS as error:
            if isinstance(error, ValueError):
                raise  # asyncpg could not encode an argument: our fault, not the database's
            raise Unavailable from error
        finally:
            await self._cache.release(conn)

    async def _acquired(self) -> PooledConnection:
        try:
            return await self._cache.acquire()
        except NOT_CONNECTED as error:
            raise Unavailable from error

    async def autocommit(self, conn: Connection, write: Callable[[Autocommit], Awaitable[T]]) -> T:
        """Run `write`, a single statement, outside a transaction: it commits by itself.

        Raises OutcomeUnknown when the server does not confirm whether it committed.
        """
        return await self._acknowledged(conn, write(Autocommit(conn)))  # type: ignore[arg-type] # as below

    async def _acknowledged(self, conn: Connection, committing: Awaitable[T]) -> T:
        """Raises OutcomeUnknown unless the server says that it happened, or for sure that it did not."""
        warnings: list[str] = []

        def listen(_: object, message: Any) -> None:  # noqa: ANN401 - asyncpg's own
            if message.severity_en == "WARNING":
                warnings.append(message.message)

        # A server that gives up waiting for its standby says COMMIT, and warns that it may be lost yet.
        conn.add_log_listener(listen)
        try:
            answer = await committing
        except Exception as error:
            if had_no_effect(error):
                raise
            self.metrics.unknown_outcomes.inc()
            raise OutcomeUnknown from error
        finally:
            with suppress(asyncpg.InterfaceError):
                conn.remove_log_listener(listen)
        if warnings:
            self.metrics.unknown_outcomes.inc()
            raise OutcomeUnknown from asyncpg.PostgresWarning(warnings[0])
        return answer

    @asynccontextmanager
    async def transaction(self, *, snapshot: bool = False) -> AsyncIterator[Tx]:
        """Commit when the block ends, roll back when it raises. Raises Unavailable.

        A `snapshot` only reads, and all that it reads is of one moment.
        """
        async with self.connection() as conn:
            transaction = (
                conn.transaction(isolation="repeatable_read", readonly=True)
                if snapshot
                else conn.transaction()
            )
            await transaction.start()
            try:
                yield Tx(conn)  # type: ignore[arg-type] # the pool's proxy behaves as its connection
            except CONNECTION_LOST:
                # Nobody may be there to answer a ROLLBACK; the server rolls back what it lost.
                with suppress(asyncpg.InterfaceError):
                    conn.terminate()
                raise
            except BaseException:
                await transaction.rollback()
                raise
            await self._acknowledged(conn, transaction.commit())

    async def in_transaction(
        self,
        work: Callable[[Tx], Awaitable[T]],
        *,
        fast_path: Callable[[Connection], Awaitable[T | None]] | None = None,
        retry_on: Collection[str] = (),
        lock_key: Hashable | None = None,
    ) -> T:
        """Do `work` in one transaction; once more, up to ATTEMPTS, where a rival or a fault was in the way.

        `first` is a shorter way to the same end, which is tried once before: it may write with `alone`, and
        answers None where nothing was written and `work` must do it.

        It is done to its end, though the caller be cancelled meanwhile. `retry_on` names unique constraints
        that only a rival's insert can violate, by what they begin with: each partition has its own. Of works
        with the same `turn`, the later wait for the first without a connection, so that a ticket that
        everybody wants leaves connections for the others.

        Raises Unavailable, and OutcomeUnknown for what must not be tried again here.
        """
        task = asyncio.create_task(self._attempts(work, fast_path, retry_on, lock_key))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def finish(self) -> None:
        """Wait for every transaction that has begun, also those whose callers have left.

        From then on, connections are the pool's.
        """
        while self._running:
            await asyncio.wait(self._running)
        await self._cache.close()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever still waits is told; asyncio need not say that nobody was

    async def _attempts(
        self,
        work: Callable[[Tx], Awaitable[T]],
        fast_path: Callable[[Connection], Awaitable[T | None]] | None,
        retry_on: Collection[str],
        lock_key: Hashable | None,
    ) -> T:
        async with self._hold_lock(lock_key):
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    return await self._attempt(work, fast_path if attempt == 1 else None)
                except (asyncpg.UniqueViolationError, asyncpg.CheckViolationError) as error:
                    if not is_concurrent_insert(error, retry_on) or attempt == ATTEMPTS:
                        raise
                    cause: BaseException | None = error
                except RETRYABLE as error:
                    if attempt == ATTEMPTS:
                        raise Unavailable from error
                    cause = error
                except Unavailable as error:
                    if attempt == ATTEMPTS or not is_retryable(error):
                        raise
                    cause = error.__cause__
                self.metrics.retries(type(cause).__name__).inc()
                # Rivals that met once should not meet again at the same moment.
                await asyncio.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - not a secret
        raise AssertionError

    async def _attempt(
        self,
        work: Callable[[Tx], Awaitable[T]],
        fast_path: Callable[[Connection], Awaitable[T | None]] | None,
    ) -> T:
        answer = None
        if fast_path is not None:
            async with self.connection() as conn:
                answer = await fast_path(conn)
        if answer is None:
            async with self.transaction() as tx:
                answer = await work(tx)
        self.changed()
        return answer

    @asynccontextmanager
    async def _hold_lock(self, lock_key: Hashable | None) -> AsyncIterator[None]:
        lock = asyncio.Lock() if lock_key is None else self._locks.setdefault(lock_key, asyncio.Lock())
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self.limits.lock_s):
                await lock.acquire()
        except TimeoutError as error:
            raise Unavailable from error
        finally:
            self.metrics.ticket_lock_wait_seconds.observe(time.perf_counter() - began)
        try:
            yield
        finally:
            lock.release()


def _statement_observer(
    metrics: Metrics, watch: Callable[[str, float], object] | None
) -> Callable[[str, float], None]:
    observer_of = cache(lambda name: metrics.statement_seconds(name).observe)

    def told(name: str, took_s: float) -> None:
        observer_of(name)(took_s)
        if watch is not None:
            watch(name, took_s)

    return told


@asynccontextmanager
async def open_database(
    url: str,
    *,
    pool_size: int,
    limits: TimeLimits = DEFAULT_LIMITS,
    changed: Callable[[], object] = lambda: None,
    metrics: Metrics | None = None,
    watch: Callable[[str, float], object] | None = None,
    pooled: bool = False,
) -> AsyncIterator[Database]:
    """`pool_size` connections at most; one is opened at once, so that a wrong URL is told at the start.

    `watch` is told of each statement at its end: its name, and the seconds that it took. `pooled`
    says that `url` leads to a pooler in transaction mode.
    """
    metrics = metrics or Metrics()
    # A statement is prepared once for as long as its connection lives, which no count of uses ends.
    session = {"server_settings": limits.session, "statement_cache_size": _STATEMENTS_KEPT}
    try:
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=pool_size,
            timeout=limits.connect_s,
            # The server's own limit comes first, as long as there is a server to keep it.
            command_timeout=limits.statement_s + _ANSWER_ON_ITS_WAY_S,
            connection_class=instrumented(_statement_observer(metrics, watch)),
            reset=reset_session,
            max_cached_statement_lifetime=0,
            max_queries=_UNCOUNTED,
            **(pooler.options(limits.session) if pooled else session),
        )
    except NOT_CONNECTED as error:
        raise Unavailable from error
    db = Database(pool, limits, changed, metrics)
    try:
        yield db
    finally:
        await db.finish()
        # A reader that hangs must not keep the process from ending.
        with suppress(TimeoutError):
            async with asyncio.timeout(limits.acquire_s):
                await pool.close()
