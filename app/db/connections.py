"""Connection types, session settings and timeouts, and connections outside the pool."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NewType, TypeAlias

import asyncpg

from app.db.errors import CONNECT_ERRORS, NOT_READY_ERRORS, UNAVAILABLE_ERRORS, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from app.db.connection_cache import PooledConnection

Connection: TypeAlias = "asyncpg.Connection[Any] | PooledConnection"
Tx = NewType("Tx", "asyncpg.Connection[Any]")
"""A connection inside an open transaction. Statements that write require it."""
Autocommit = NewType("Autocommit", "asyncpg.Connection[Any]")
"""A connection outside a transaction: a statement that writes commits by itself."""

STATEMENT_SETTINGS = {
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "standard_conforming_strings": "on",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "xmlbinary": "base64",
    "xmloption": "content",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",
    "row_security": "on",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    # Otherwise an index search silently omits rows.
    "gin_fuzzy_search_limit": "0",
    # The warning that a commit did not wait for its standby must arrive.
    "client_min_messages": "notice",
}
"""Settings that change what a statement means or returns; a role or database may have other values."""
REQUIRED_SETTINGS = {"session_replication_role": "origin", "zero_damaged_pages": "off"}
"""As above, but only a superuser can set them: triggers do not run, damaged rows disappear."""
_PLANNER_SETTINGS = {
    "join_collapse_limit": "8",
    "from_collapse_limit": "8",
    **dict.fromkeys(
        (
            "enable_bitmapscan",
            "enable_hashagg",
            "enable_hashjoin",
            "enable_incremental_sort",
            "enable_indexonlyscan",
            "enable_indexscan",
            "enable_material",
            "enable_memoize",
            "enable_mergejoin",
            "enable_nestloop",
            "enable_partition_pruning",
            "enable_seqscan",
            "enable_sort",
        ),
        "on",
    ),
}
SESSION_SETTINGS = {
    "application_name": "baton",
    **STATEMENT_SETTINGS,
    **_PLANNER_SETTINGS,
    # Before migration 0006_contract, public has an old table of the same name as the history.
    "search_path": "baton, public",
    # Measured: both cost more than they save on reads this short.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    # Otherwise PostgreSQL plans again for each array of keys, which takes longer than reading a ticket.
    # queries/server.py asks for a custom plan where the values matter.
    "plan_cache_mode": "force_generic_plan",
    # The pool keeps its connections.
    "idle_session_timeout": "0",
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30s",
}
_WITHOUT_TIMEOUTS = STATEMENT_SETTINGS | dict.fromkeys(
    ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"), "0"
)
_POOLED = frozenset({"application_name", "timezone", "datestyle", "standard_conforming_strings"})
"""Settings that PgBouncer applies to each server connection that it assigns."""


REFUSED_SETTINGS = REQUIRED_SETTINGS | {
    name: SESSION_SETTINGS[name] for name in ("search_path", *STATEMENT_SETTINGS) if name not in _POOLED
}
"""What a server refuses to start without. Only behind a pooler can the second part differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimits:
    """Timeouts."""

    connect_s: float = 3
    acquire_s: float = 2
    """To wait for a free connection of the pool."""
    lock_s: float = 5
    statement_s: float = 10
    idle_s: float = 4
    """Idle in a transaction. Below `lock_s`: a frozen server releases its locks before others give up."""

    @property
    def session_settings(self) -> dict[str, str]:
        """Return the settings for each session of the pool."""
        return SESSION_SETTINGS | {
            "lock_timeout": f"{self.lock_s * 1000:.0f}ms",
            "statement_timeout": f"{self.statement_s * 1000:.0f}ms",
            "idle_in_transaction_session_timeout": f"{self.idle_s * 1000:.0f}ms",
        }


DEFAULT_LIMITS = TimeLimits()


def pooler_options(session_settings: Mapping[str, str]) -> dict[str, Any]:
    """Return the asyncpg options for a pooler in transaction mode, such as PgBouncer.

    It assigns a server connection for one transaction, so session state would leak to other clients:
    statements are not prepared, and the other settings are set for the role.
    """
    return {
        "server_settings": {name: value for name, value in session_settings.items() if name in _POOLED},
        # Each statement is parsed again in the same round trip that executes it.
        "statement_cache_size": 0,
    }


def role_settings(session_settings: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that the role must have, because the pooler rejects them in a connection."""
    return {
        name: value
        for name, value in session_settings.items()
        # The connection to the database is the pooler's.
        if name not in _POOLED and not name.startswith("tcp_")
    }


def alter_role(role: str, name: str, value: str, *, database: str | None = None) -> str:
    """Return the statement that sets it for the role; an administrator has to run it.

    With `database` it replaces all other settings of the role and of the database.
    """
    # Quotes would make a list of schemas one name with a comma in it.
    literal = value if name == "search_path" else f"'{value}'"
    where = "" if database is None else f" IN DATABASE {_identifier(database)}"
    return f"ALTER ROLE {_identifier(role)}{where} SET {name} = {literal};"


def _identifier(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


@asynccontextmanager
async def connect(
    url: str, settings: Mapping[str, str] = _WITHOUT_TIMEOUTS, *, pooled: bool = False
) -> AsyncIterator[Connection]:
    """Open a connection outside the pool, by default without timeouts, for migrations.

    `pooled` means that `url` is of a pooler in transaction mode. Raises Unavailable.
    """
    settings = {**settings, "application_name": "baton"}
    try:
        conn = await asyncpg.connect(
            url,
            timeout=DEFAULT_LIMITS.connect_s,
            **pooler_options(settings) | ({} if pooled else {"server_settings": settings}),
        )
    except CONNECT_ERRORS as error:
        raise Unavailable from error
    try:
        yield conn
    finally:
        await conn.close()


@asynccontextmanager
async def transaction_on_own_schemas(conn: Connection) -> AsyncIterator[Tx]:
    """Open a transaction that finds tables as the pool's sessions do."""
    async with conn.transaction():
        await conn.execute(f"SET LOCAL search_path = {SESSION_SETTINGS['search_path']}")
        yield Tx(conn)  # type: ignore[arg-type] # a pooled connection is one, too


@asynccontextmanager
async def rolled_back(conn: Connection) -> AsyncIterator[None]:
    """Run the block in a transaction that is rolled back at its end."""
    transaction = conn.transaction()
    await transaction.start()
    try:
        yield
    finally:
        if not conn.is_closed():
            await transaction.rollback()


@asynccontextmanager
async def connect_when_ready(
    url: str,
    settings: Mapping[str, str],
    *,
    pooled: bool,
    wait_s: float,
    emit: Callable[[str], object],
) -> AsyncIterator[Connection]:
    """As `connect`, but wait up to `wait_s` for a database that is starting."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    async with AsyncExitStack() as stack:
        while True:
            try:
                conn = await stack.enter_async_context(connect(url, settings, pooled=pooled))
                break
            except Unavailable as error:
                if loop.time() >= deadline or not isinstance(error.__cause__, NOT_READY_ERRORS):
                    raise
            emit("Waiting for the database.")
            await asyncio.sleep(1)
        yield conn


@asynccontextmanager
async def listen(url: str, channel: str, callback: Callable[[], object]) -> AsyncIterator[Connection]:
    """Open a connection that calls `callback` on each notification and when it is lost.

    Raises Unavailable.
    """
    settings = {**SESSION_SETTINGS, "application_name": "baton events"}
    try:
        conn = await asyncpg.connect(url, timeout=5, command_timeout=20, server_settings=settings)
    except CONNECT_ERRORS as error:
        raise Unavailable from error

    def on_notify(*_: object) -> None:
        callback()

    try:
        conn.add_termination_listener(on_notify)
        await conn.add_listener(channel, on_notify)
        yield conn
    except UNAVAILABLE_ERRORS as error:
        raise Unavailable from error
    finally:
        conn.terminate()


async def notify(conn: Connection, channel: str) -> None:
    """Notify the listeners of `channel` in all processes."""
    await conn.execute("SELECT pg_notify($1, '')", channel)
