"""The connection pool, and the one place where transactions start and are retried."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Hashable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from weakref import WeakValueDictionary

import asyncpg

from app.batch_scheduler import BatchScheduler
from app.db.connection_cache import ConnectionCache
from app.db.connections import DEFAULT_LIMITS, Autocommit, Connection, TimeLimits, Tx, pooler_options
from app.db.errors import (
    CONNECT_ERRORS,
    CONNECTION_LOST,
    UNAVAILABLE_ERRORS,
    OutcomeUnknown,
    Unavailable,
    is_concurrent_insert,
    is_retryable,
    is_rollback_certain,
)
from app.db.session import Session, instrumented
from app.observability.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

ATTEMPTS = 5
_RESPONSE_MARGIN_S = 2
_STATEMENT_CACHE_SIZE = 300
"""Prepared statements of each connection: all named ones, with room for those that omit columns."""
_NO_LIMIT = 2**62

T = TypeVar("T")
Work: TypeAlias = Callable[[Tx], Awaitable[T]]
FastPath: TypeAlias = Callable[[], Awaitable[T | None]]


@dataclass(slots=True, eq=False)
class Database:
    pool: asyncpg.Pool[Any]
    limits: TimeLimits = DEFAULT_LIMITS
    on_commit: Callable[[], object] = lambda: None
    """Called after a transaction that may have changed something has committed."""
    metrics: Metrics = field(default_factory=Metrics)
    command_batches: BatchScheduler[Any] = field(default_factory=BatchScheduler, init=False)
    """Decides which concurrent commands run together."""
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set, init=False)
    _locks: WeakValueDictionary[Hashable, asyncio.Lock] = field(
        default_factory=WeakValueDictionary, init=False
    )
    _cache: ConnectionCache = field(init=False)
    _heavy: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._heavy = asyncio.Semaphore(max(1, self.pool.get_max_size() // 2))
        self._cache = ConnectionCache(self.pool, self.limits.acquire_s, self.metrics)

    @asynccontextmanager
    async def connection(self, *, heavy: bool = False) -> AsyncIterator[Connection]:
        """Acquire a connection. Raises Unavailable, also for such errors of the driver inside the block.

        `heavy` statements may read many rows: they wait until fewer than half of the connections run such
        statements, so that the others remain for short ones.
        """
        if heavy:
            async with self._heavy, self.connection() as conn:
                yield conn
            return
        try:
            conn = await self._cache.acquire()
        except CONNECT_ERRORS as error:
            raise Unavailable from error
        try:
            yield conn
        except UNAVAILABLE_ERRORS as error:
            if isinstance(error, ValueError):
                raise  # asyncpg could not encode an argument: a bug, not an outage
            raise Unavailable from error
        finally:
            await self._cache.release(conn)

    async def autocommit(self, conn: Connection, write: Callable[[Autocommit], Awaitable[T]]) -> T:
        """Run `write`, a single statement, outside a transaction: it commits by itself.

        Raises OutcomeUnknown when the server does not confirm whether it committed.
        """
        return await self._commit(conn, write(Autocommit(conn)))  # type: ignore[arg-type] # as below

    async def _commit(self, conn: Connection, committing: Awaitable[T]) -> T:
        """Raises OutcomeUnknown unless the server confirms the commit, or the rollback is certain."""
        warnings: list[str] = []

        def on_log_message(_: object, message: Any) -> None:  # noqa: ANN401 - asyncpg's own
            if message.severity_en == "WARNING":
                warnings.append(message.message)

        # If the wait for a synchronous standby is cancelled, the server confirms COMMIT with a warning.
        conn.add_log_listener(on_log_message)
        try:
            result = await committing
        except Exception as error:
            if is_rollback_certain(error):
                raise
            self.metrics.unknown_outcomes.inc()
            raise OutcomeUnknown from error
        finally:
            with suppress(asyncpg.InterfaceError):
                conn.remove_log_listener(on_log_message)
        if warnings:
            self.metrics.unknown_outcomes.inc()
            raise OutcomeUnknown from asyncpg.PostgresWarning(warnings[0])
        return result

    @asynccontextmanager
    async def transaction(self, *, snapshot: bool = False) -> AsyncIterator[Tx]:
        """Commit when the block ends, roll back when it raises. Raises Unavailable.

        With `snapshot` the transaction is read-only, and all its reads see the same state.
        """
        async with self.connection() as conn:
            transaction = conn.transaction(
                isolation="repeatable_read" if snapshot else None, readonly=snapshot
            )
            await transaction.start()
            try:
                yield Tx(conn)  # type: ignore[arg-type] # the pool's proxy behaves as its connection
            except CONNECTION_LOST:
                # A ROLLBACK might get no response; the server rolls back when the connection closes.
                with suppress(asyncpg.InterfaceError):
                    conn.terminate()
                raise
            except BaseException:
                await transaction.rollback()
                raise
            await self._commit(conn, transaction.commit())

    async def in_transaction(
        self,
        work: Work[T],
        *,
        fast_path: FastPath[T] | None = None,
        retry_on: Collection[str] = (),
        lock_key: Hashable | None = None,
    ) -> T:
        """Run `work` in a transaction, with up to ATTEMPTS attempts if a conflict or an outage prevents it.

        `fast_path` is tried once before. It may write by itself, and returns None if it has written nothing
        and `work` has to run.

        Completes even if the caller is cancelled. `retry_on` are prefixes of the names of unique constraints
        that only a concurrent insert can violate (each partition has its own). Calls with the same `lock_key`
        run one after the other and wait without a connection, so that contention on one ticket leaves
        connections for others.

        Raises Unavailable, and OutcomeUnknown, which is not retried here.
        """
        task = asyncio.create_task(self._run_with_retries(work, fast_path, retry_on, lock_key))
        self._tasks.add(task)
        task.add_done_callback(self._on_done)
        return await asyncio.shield(task)

    async def finish(self) -> None:
        """Wait for all running transactions, also those without a caller, then empty the cache."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._cache.close()

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # keeps asyncio from logging the error of a task without a caller

    async def _run_with_retries(
        self,
        work: Work[T],
        fast_path: FastPath[T] | None,
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
                except Unavailable as error:
                    if attempt == ATTEMPTS or not is_retryable(error):
                        raise
                    cause = error.__cause__
                self.metrics.retries(type(cause).__name__).inc()
                # Random, so that conflicting transactions do not meet again.
                await asyncio.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - not a secret
        raise AssertionError

    async def _attempt(self, work: Work[T], fast_path: FastPath[T] | None) -> T:
        result = None
        if fast_path is not None:
            result = await fast_path()
        if result is None:
            async with self.transaction() as tx:
                result = await work(tx)
        self.on_commit()
        return result

    @asynccontextmanager
    async def _hold_lock(self, lock_key: Hashable | None) -> AsyncIterator[None]:
        lock = asyncio.Lock() if lock_key is None else self._locks.setdefault(lock_key, asyncio.Lock())
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self.limits.lock_s):
                await lock.acquire()
        except TimeoutError as error:
            raise Unavailable from error
        finally:
            self.metrics.ticket_lock_wait_seconds.observe(time.perf_counter() - started)
        try:
            yield
        finally:
            lock.release()


@asynccontextmanager
async def open_database(
    url: str,
    *,
    pool_size: int,
    limits: TimeLimits = DEFAULT_LIMITS,
    on_commit: Callable[[], object] = lambda: None,
    metrics: Metrics | None = None,
    on_statement: Callable[[str, float], object] | None = None,
    pooled: bool = False,
) -> AsyncIterator[Database]:
    """Open a pool of up to `pool_size` connections. One is opened at once, to detect a wrong URL.

    `on_statement` is called after each statement with its name and its duration in seconds. `pooled` means
    that `url` is of a pooler in transaction mode. Raises Unavailable.
    """
    metrics = metrics or Metrics()

    def observe(name: str, duration_s: float) -> None:
        metrics.statement_seconds(name).observe(duration_s)
        if on_statement is not None:
            on_statement(name, duration_s)

    session_options = {
        "server_settings": limits.session_settings,
        "statement_cache_size": _STATEMENT_CACHE_SIZE,
    }
    try:
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=pool_size,
            timeout=limits.connect_s,
            # The server's own timeout fires first, unless the server does not respond.
            command_timeout=limits.statement_s + _RESPONSE_MARGIN_S,
            connection_class=instrumented(observe),
            reset=Session.reset_state,  # type: ignore[arg-type] # its connections are sessions
            # Neither prepared statements nor connections expire: both are expensive to make.
            max_cached_statement_lifetime=0,
            max_queries=_NO_LIMIT,
            **(pooler_options(limits.session_settings) if pooled else session_options),
        )
    except CONNECT_ERRORS as error:
        raise Unavailable from error
    db = Database(pool, limits, on_commit, metrics)
    try:
        yield db
    finally:
        await db.finish()
        # A reader that hangs must not keep the process from exiting.
        with suppress(TimeoutError):
            async with asyncio.timeout(limits.acquire_s):
                await pool.close()
