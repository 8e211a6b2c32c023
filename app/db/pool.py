"""The connection pool, and the one place where a transaction starts."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NewType, TypeAlias, TypeVar

import asyncpg

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Collection

    from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "asyncpg.Connection[Any] | PoolConnectionProxy[Any]"
Tx = NewType("Tx", "asyncpg.Connection[Any]")
"""A connection inside an open transaction: what a statement that writes must be given."""

ATTEMPTS = 5
_SESSION = {
    "application_name": "baton",
    "timezone": "UTC",
    # Until the last of the first migrations, the history lies beside the old table of the same name.
    "search_path": "baton, public",
    # Measured on our statements: both cost more than they give on reads this short.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "lock_timeout": "5s",
    "statement_timeout": "15s",
    "idle_in_transaction_session_timeout": "10s",
}
_TAKE_TURNS_AGAIN = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    # A migration changed a table between two uses of a prepared statement.
    asyncpg.InvalidCachedStatementError,
)
# Whatever the reason why there is no connection, the request is not to blame for it.
_NOT_CONNECTED = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError)
_LOST = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)

T = TypeVar("T")


class Unavailable(Exception):
    """The database did not answer in time, or not at all. Nothing is known to be wrong with the request."""


@dataclass(frozen=True, slots=True)
class Database:
    pool: asyncpg.Pool[Any]
    acquire_timeout_s: float = 5
    changed: Callable[[], object] = lambda: None
    """Called when a transaction that may have changed something was committed."""

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        try:
            conn = await self.pool.acquire(timeout=self.acquire_timeout_s)
        except _NOT_CONNECTED as error:
            raise Unavailable from error
        try:
            yield conn
        except _LOST as error:
            if isinstance(error, ValueError):
                raise  # asyncpg could not encode an argument: our fault, not the database's
            raise Unavailable from error
        finally:
            await self.pool.release(conn)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """Commit when the block ends, roll back when it raises."""
        async with self.connection() as conn, conn.transaction():
            yield Tx(conn)  # type: ignore[arg-type] # the pool's proxy behaves as its connection

    async def in_transaction(
        self, work: Callable[[Tx], Awaitable[T]], *, retry_on: Collection[str] = ()
    ) -> T:
        """Do `work` in one transaction; once more, up to ATTEMPTS, where a rival was in the way.

        `retry_on` names unique constraints that only a rival's insert can violate.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self.transaction() as tx:
                    answer = await work(tx)
                self.changed()
                return answer  # noqa: TRY300 - an else would be further from its try than readers look
            except asyncpg.UniqueViolationError as error:
                if error.constraint_name not in retry_on or attempt == ATTEMPTS:
                    raise
            except _TAKE_TURNS_AGAIN as error:
                if attempt == ATTEMPTS:
                    raise Unavailable from error
            except asyncpg.LockNotAvailableError as error:
                raise Unavailable from error
            # Rivals that met once should not meet again at the same moment.
            await asyncio.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - not a secret
        raise AssertionError


@asynccontextmanager
async def open_database(
    url: str, *, pool_size: int, changed: Callable[[], object] = lambda: None
) -> AsyncIterator[Database]:
    """`pool_size` connections at most; one is opened at once, so that a wrong URL is told at the start."""
    try:
        pool = await asyncpg.create_pool(
            url, min_size=1, max_size=pool_size, timeout=5, command_timeout=20, server_settings=_SESSION
        )
    except _NOT_CONNECTED as error:
        raise Unavailable from error
    try:
        yield Database(pool, changed=changed)
    finally:
        await pool.close()


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Connection]:
    """One connection of its own without time limits, for migrations."""
    try:
        conn = await asyncpg.connect(url, timeout=5, server_settings={"application_name": "baton"})
    except _NOT_CONNECTED as error:
        raise Unavailable from error
    try:
        yield conn
    finally:
        await conn.close()


@asynccontextmanager
async def listening(url: str, channel: str, wake: Callable[[], object]) -> AsyncIterator[Connection]:
    """A connection of its own that calls `wake` at each notification, and when it is lost."""
    session = {**_SESSION, "application_name": "baton events"}
    try:
        conn = await asyncpg.connect(url, timeout=5, command_timeout=20, server_settings=session)
    except _NOT_CONNECTED as error:
        raise Unavailable from error

    def heard(*_: object) -> None:
        wake()

    try:
        conn.add_termination_listener(heard)
        await conn.add_listener(channel, heard)
        yield conn
    except _LOST as error:
        raise Unavailable from error
    finally:
        conn.terminate()


async def notify(conn: Connection, channel: str) -> None:
    """Wake who listens, in other processes too."""
    await conn.execute("SELECT pg_notify($1, '')", channel)
