"""Reads on standbys: which of them may be asked, and none for what it does not know yet.

A position is how far the primary's log has come, in bytes. Who has changed something knows the position right
after it; a standby that has replayed the log up to there shows the change. A read that is to show all up to a
position waits for it on the standby for a moment, and else goes to the primary.
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
WAIT_S = 0.1
"""How long a read waits on a standby for what it has to show."""
_ASK_AGAIN_S = 0.005
_SURELY_BEYOND = 2**30
"""Bytes: more than is written between two looks at the primary, and soon behind a busy one."""


class WalPositions(NamedTuple):
    """The statements about a server's log, which this package does not hold."""

    written: Callable[[Connection], Awaitable[int]]
    """Raises on a standby."""
    replayed: Callable[[Connection], Awaitable[int | None]]
    """None of a server that is no standby."""


@dataclass(slots=True, eq=False)
class _Replica:
    name: str
    open: Callable[[], AbstractAsyncContextManager[Database]]
    db: Database | None = None
    is_fit: bool = False


@dataclass(slots=True, eq=False)
class ReplicaRouter:
    """`lag_s` is how old the state may be that is read where nobody names a position."""

    primary: Database
    log: WalPositions
    lag_s: float
    metrics: Metrics
    _all: list[_Replica] = field(default_factory=list, init=False)
    _written: deque[tuple[float, int]] = field(default_factory=deque, init=False)
    """When the primary was looked at, and its position then; the first is the newest that is old enough."""
    _turn: int = field(default=0, init=False)

    @asynccontextmanager
    async def watching(
        self, opened: Sequence[Callable[[], AbstractAsyncContextManager[Database]]]
    ) -> AsyncIterator[ReplicaRouter]:
        """Look at all of them, again and again, until the block ends."""
        self._all = [_Replica(f"standby {n}", open_) for n, open_ in enumerate(opened, 1)]
        tasks = [asyncio.create_task(self._keep(standby)) for standby in self._all]
        if tasks:
            tasks.append(asyncio.create_task(self._look_at_primary()))
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def reading(self, after: int) -> ReadRoute:
        """For one operation, which is to show all up to `after`."""
        # What is beyond all that could be was told by another database, and would be waited for in vain.
        fit = [standby for standby in self._all if standby.is_fit and after <= self._beyond]
        self._turn += 1
        return ReadRoute(self, fit[self._turn % len(fit)] if fit else None, after)

    async def position(self) -> int:
        """All that has been committed is before it."""
        with suppress(Unavailable, asyncpg.PostgresError, TimeoutError):
            # Who changed something is not kept waiting for it while the primary is away.
            async with asyncio.timeout(WAIT_S), self.primary.connection() as conn:
                return await self.log.written(conn)
        return self._beyond

    @property
    def _beyond(self) -> int:
        return (self._written[-1][1] if self._written else 0) + _SURELY_BEYOND

    def leave_out(self, standby: _Replica) -> None:
        """Until the next look finds it well."""
        standby.is_fit = False

    async def _look_at_primary(self) -> None:
        while True:
            with suppress(Unavailable, asyncpg.PostgresError):
                async with self.primary.connection() as conn:
                    self._written.append((time.monotonic(), await self.log.written(conn)))
            old_enough = time.monotonic() - self.lag_s
            while len(self._written) > 1 and self._written[1][0] <= old_enough:
                self._written.popleft()
            await asyncio.sleep(POLL_INTERVAL_S)

    async def _keep(self, standby: _Replica) -> None:
        while True:
            try:
                async with standby.open() as standby.db:
                    await self._look_at(standby, standby.db)
            except Unavailable as error:
                self._tell(standby, is_fit=False, why=repr(error.__cause__))
            except Exception:
                standby.is_fit = False
                log.exception("fault")
            finally:
                standby.is_fit, standby.db = False, None
            await asyncio.sleep(POLL_INTERVAL_S)

    async def _look_at(self, standby: _Replica, db: Database) -> None:
        """Until it does not answer."""
        while True:
            async with db.connection() as conn:
                replayed = await self.log.replayed(conn)
            if replayed is None:
                self._tell(standby, is_fit=False, why="it is no standby")
            else:
                due = self._written[0][1] if self._written else None
                self._tell(standby, is_fit=due is not None and replayed >= due, why="it lags")
            await asyncio.sleep(POLL_INTERVAL_S)

    def _tell(self, standby: _Replica, *, is_fit: bool, why: str) -> None:
        if standby.is_fit and not is_fit:
            log.warning("standby_left_out", standby=standby.name, cause=why)
        elif is_fit and not standby.is_fit:
            log.info("standby_used", standby=standby.name)
        standby.is_fit = is_fit


@dataclass(slots=True, eq=False)
class ReadRoute:
    """What one operation reads from: a standby, and from the moment when that is no good, the primary."""

    standbys: ReplicaRouter
    _standby: _Replica | None
    _after: int
    _enough: set[int] = field(default_factory=set, init=False)
    """Processes of the standby that have been seen to show what they must."""

    @property
    def metrics(self) -> Metrics:
        return self.standbys.metrics

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """As of a Database. Raises Unavailable."""
        try:
            async with AsyncExitStack() as given_back:
                conn = await self._of_standby(given_back)
                if conn is None:
                    conn = await given_back.enter_async_context(self.standbys.primary.connection())
                try:
                    yield conn
                except asyncpg.SerializationError as error:
                    # The standby could not wait any longer with what the read still looked at.
                    raise Unavailable from error
        except Unavailable:
            if self._standby is not None:
                self.standbys.leave_out(self._standby)
            raise

    async def _of_standby(self, given_back: AsyncExitStack) -> Connection | None:
        standby = self._standby
        if standby is None or standby.db is None:
            return None
        outcome = "away"
        try:
            async with AsyncExitStack() as tried:
                conn = await tried.enter_async_context(standby.db.connection())
                if await self._shows_enough(conn):
                    self.standbys.metrics.replica_reads("served").inc()
                    given_back.push_async_exit(tried.pop_all())
                    return conn
                outcome = "behind"
        except Unavailable:
            self.standbys.leave_out(standby)
        self.standbys.metrics.replica_reads(outcome).inc()
        # One operation never goes back to an older state.
        self._standby = None
        return None

    async def _shows_enough(self, conn: Connection) -> bool:
        process = conn.get_server_pid()
        if not self._after or process in self._enough:
            return True
        until = time.monotonic() + WAIT_S
        while (replayed := await self.standbys.log.replayed(conn)) is not None:
            if replayed >= self._after:
                self._enough.add(process)
                return True
            if time.monotonic() > until:
                return False
            await asyncio.sleep(_ASK_AGAIN_S)
        return False
