"""Routes reads to replicas that have replayed enough of the primary's write-ahead log.

A WAL position is a byte offset in the log of the primary. After a change, its client knows the position; a
replica that has replayed the log up to there shows the change. A read that requires a position waits briefly
for it on the replica, then falls back to the primary.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import asyncpg
import structlog

from app.db.errors import Unavailable
from app.db.pool import Database
from app.observability.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from app.db.connections import Connection

log = structlog.get_logger()

POLL_INTERVAL_S = 0.5
MAX_WAIT_S = 0.1
"""How long a read waits for a replica to replay the required position."""
_REPLAY_POLL_INTERVAL_S = 0.005
_POSITION_MARGIN = 2**30
"""Bytes: more than the primary writes between two polls."""


class WalPositions(NamedTuple):
    """Queries for WAL positions; passed in, because this package contains no statements about a server."""

    written: Callable[[Connection], Awaitable[int]]
    """Raises on a standby."""
    replayed: Callable[[Connection], Awaitable[int | None]]
    """None if the server is not a standby."""


@dataclass(slots=True, eq=False)
class _Replica:
    name: str
    open: Callable[[], AbstractAsyncContextManager[Database]]
    db: Database | None = None
    is_usable: bool = False

    def set_usable(self, *, is_usable: bool, cause: str) -> None:
        if self.is_usable and not is_usable:
            log.warning("replica_excluded", replica=self.name, cause=cause)
        elif is_usable and not self.is_usable:
            log.info("replica_included", replica=self.name)
        self.is_usable = is_usable


@dataclass(slots=True, eq=False)
class ReplicaRouter:
    """Chooses a replica for each operation. `lag_s` is the maximum lag of a read without a position."""

    primary: Database
    wal: WalPositions
    lag_s: float
    metrics: Metrics
    _replicas: list[_Replica] = field(default_factory=list, init=False)
    _polled: deque[tuple[float, int]] = field(default_factory=deque, init=False)
    """Time of a poll and the primary's position; the first is the newest that is at least `lag_s` old."""
    _last_chosen: int = field(default=0, init=False)

    @asynccontextmanager
    async def monitor(
        self, replicas: Sequence[Callable[[], AbstractAsyncContextManager[Database]]]
    ) -> AsyncIterator[ReplicaRouter]:
        """Poll the replicas and the primary until the block ends."""
        self._replicas = [_Replica(f"replica {n}", open_) for n, open_ in enumerate(replicas, 1)]
        tasks = [asyncio.create_task(self._monitor(replica)) for replica in self._replicas]
        if tasks:
            tasks.append(asyncio.create_task(self._poll_primary()))
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def route(self, min_position: int) -> ReadRoute:
        """Choose a replica for one operation that has to read everything up to `min_position`."""
        # A higher position than possible is from another database; waiting for it would be in vain.
        usable = [r for r in self._replicas if r.is_usable and min_position <= self._max_position]
        self._last_chosen += 1
        return ReadRoute(self, usable[self._last_chosen % len(usable)] if usable else None, min_position)

    async def current_position(self) -> int:
        """Return a position that is after everything committed so far."""
        with suppress(Unavailable, asyncpg.PostgresError, TimeoutError):
            # A client that has changed something does not wait longer while the primary is unavailable.
            async with asyncio.timeout(MAX_WAIT_S), self.primary.connection() as conn:
                return await self.wal.written(conn)
        return self._max_position

    @property
    def _max_position(self) -> int:
        return (self._polled[-1][1] if self._polled else 0) + _POSITION_MARGIN

    async def _poll_primary(self) -> None:
        while True:
            with suppress(Unavailable, asyncpg.PostgresError):
                async with self.primary.connection() as conn:
                    self._polled.append((time.monotonic(), await self.wal.written(conn)))
            old_enough = time.monotonic() - self.lag_s
            while len(self._polled) > 1 and self._polled[1][0] <= old_enough:
                self._polled.popleft()
            await asyncio.sleep(POLL_INTERVAL_S)

    async def _monitor(self, replica: _Replica) -> None:
        while True:
            try:
                async with replica.open() as replica.db:
                    await self._poll_replica(replica, replica.db)
            except Unavailable as error:
                replica.set_usable(is_usable=False, cause=repr(error.__cause__))
            except Exception:
                log.exception("fault")
            finally:
                replica.is_usable, replica.db = False, None
            await asyncio.sleep(POLL_INTERVAL_S)

    async def _poll_replica(self, replica: _Replica, db: Database) -> None:
        """Poll until it raises Unavailable."""
        while True:
            async with db.connection() as conn:
                replayed = await self.wal.replayed(conn)
            if replayed is None:
                replica.set_usable(is_usable=False, cause="not a standby")
            else:
                required = self._polled[0][1] if self._polled else None
                replica.set_usable(is_usable=required is not None and replayed >= required, cause="lag")
            await asyncio.sleep(POLL_INTERVAL_S)


@dataclass(slots=True, eq=False)
class ReadRoute:
    """The databases that one operation reads: a replica, and the primary once the replica is not usable."""

    router: ReplicaRouter
    _replica: _Replica | None
    _min_position: int
    _caught_up: set[int] = field(default_factory=set, init=False)
    """Process ids of connections to the replica that have shown the required position."""

    @property
    def metrics(self) -> Metrics:
        return self.router.metrics

    @asynccontextmanager
    async def connection(self, *, heavy: bool = False) -> AsyncIterator[Connection]:
        """As Database.connection. Raises Unavailable."""
        try:
            async with AsyncExitStack() as stack:
                conn = await self._replica_connection(stack, heavy=heavy)
                if conn is None:
                    conn = await stack.enter_async_context(self.router.primary.connection(heavy=heavy))
                yield conn
        except Unavailable:
            # Also a recovery conflict: the replica had to remove row versions that the read still needed.
            if self._replica is not None:
                self._replica.is_usable = False
            raise

    async def _replica_connection(self, stack: AsyncExitStack, *, heavy: bool) -> Connection | None:
        """Return a connection that `stack` closes, or None to read the primary from now on."""
        replica = self._replica
        if replica is None or replica.db is None:
            return None
        outcome = "away"
        try:
            async with AsyncExitStack() as attempt:
                conn = await attempt.enter_async_context(replica.db.connection(heavy=heavy))
                if await self._wait_for_position(conn):
                    self.metrics.replica_reads("served").inc()
                    stack.push_async_exit(attempt.pop_all())
                    return conn
                outcome = "behind"
        except Unavailable:
            replica.is_usable = False
        self.metrics.replica_reads(outcome).inc()
        # One operation never goes back to an older state.
        self._replica = None
        return None

    async def _wait_for_position(self, conn: Connection) -> bool:
        """Return whether the replica has replayed the required position, waiting for it briefly."""
        pid = conn.get_server_pid()
        if not self._min_position or pid in self._caught_up:
            return True
        deadline = time.monotonic() + MAX_WAIT_S
        while (replayed := await self.router.wal.replayed(conn)) is not None:
            if replayed >= self._min_position:
                self._caught_up.add(pid)
                return True
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_REPLAY_POLL_INTERVAL_S)
        return False
