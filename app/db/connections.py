"""Connections to the database: what each session is told, and those that belong to no pool."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NewType, TypeAlias

import asyncpg

from app.db.errors import NOT_CONNECTED, NOT_YET, UNAVAILABLE_ERRORS, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from app.db.connection_cache import PooledConnection

Connection: TypeAlias = "asyncpg.Connection[Any] | PooledConnection"
Tx = NewType("Tx", "asyncpg.Connection[Any]")
"""A connection inside an open transaction: what a statement that writes must be given."""
Autocommit = NewType("Autocommit", "asyncpg.Connection[Any]")
"""A connection outside a transaction: a statement that writes commits by itself."""

SESSION = {
    "application_name": "baton",
    "timezone": "UTC",
    # Until the last of the first migrations, the history lies beside the old table of the same name.
    "search_path": "baton, public",
    # Measured on our statements: both cost more than they give on reads this short.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    # Else PostgreSQL plans anew for each array of keys, which takes longer than to find a ticket. Where the
    # values decide, queries/server.py has it plan for them.
    "plan_cache_mode": "force_generic_plan",
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30s",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimits:
    """How long each step may take."""

    connect_s: float = 3
    acquire_s: float = 2
    """Waiting for a free connection of the pool."""
    lock_s: float = 5
    statement_s: float = 10
    idle_s: float = 4
    """In a transaction: a server that is frozen or cut off lets go of its ticket before others give up."""

    @property
    def session(self) -> dict[str, str]:
        """As the database keeps them."""
        return SESSION | {
            "lock_timeout": f"{self.lock_s * 1000:.0f}ms",
            "statement_timeout": f"{self.statement_s * 1000:.0f}ms",
            "idle_in_transaction_session_timeout": f"{self.idle_s * 1000:.0f}ms",
        }


DEFAULT_LIMITS = TimeLimits()


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Connection]:
    """One connection of its own without time limits, for migrations."""
    try:
        conn = await asyncpg.connect(
            url,
            timeout=DEFAULT_LIMITS.connect_s,
            server_settings={"application_name": "baton"},
            # A pooler in transaction mode may be in between, for who only reads.
            statement_cache_size=0,
        )
    except NOT_CONNECTED as error:
        raise Unavailable from error
    try:
        yield conn
    finally:
        await conn.close()


@asynccontextmanager
async def connect_when_ready(
    url: str, wait_s: float, say: Callable[[str], object]
) -> AsyncIterator[Connection]:
    """As `connect`, to a database that may still be starting."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    async with AsyncExitStack() as until_done:
        while True:
            try:
                conn = await until_done.enter_async_context(connect(url))
                break
            except Unavailable as error:
                if loop.time() >= until or not isinstance(error.__cause__, NOT_YET):
                    raise
            say("Waiting for the database.")
            await asyncio.sleep(1)
        yield conn


@asynccontextmanager
async def listening(url: str, channel: str, wake: Callable[[], object]) -> AsyncIterator[Connection]:
    """A connection of its own that calls `wake` at each notification, and when it is lost."""
    session = {**SESSION, "application_name": "baton events"}
    try:
        conn = await asyncpg.connect(url, timeout=5, command_timeout=20, server_settings=session)
    except NOT_CONNECTED as error:
        raise Unavailable from error

    def heard(*_: object) -> None:
        wake()

    try:
        conn.add_termination_listener(heard)
        await conn.add_listener(channel, heard)
        yield conn
    except UNAVAILABLE_ERRORS as error:
        raise Unavailable from error
    finally:
        conn.terminate()


async def notify(conn: Connection, channel: str) -> None:
    """Wake who listens, in other processes too."""
    await conn.execute("SELECT pg_notify($1, '')", channel)
