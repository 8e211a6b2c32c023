"""Lends the connections of a pool, and hands one that comes back straight to who waits longest.

To give a connection to asyncpg's pool and take it out again costs as much as a small read.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from app.observability.metrics import Metrics

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

Lent: TypeAlias = "PoolConnectionProxy[Any]"

_GONE = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresError)


@dataclass(slots=True)
class Lending:
    pool: asyncpg.Pool[Any]
    patience_s: float
    """How long somebody waits for a connection."""
    metrics: Metrics
    _lent: int = field(default=0, init=False)
    """By the pool to us: what is at hand, and what is in use."""
    _at_hand: list[Lent] = field(default_factory=list, init=False)
    _waiting: deque[asyncio.Future[Lent | None]] = field(default_factory=deque, init=False)
    """Each is given a connection, or None when the pool has one again."""
    _is_ending: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.metrics.watch_pool(
            self.pool.get_size,
            lambda: self.pool.get_idle_size() + len(self._at_hand),
            lambda: sum(not turn.done() for turn in self._waiting),
        )

    async def lend(self) -> Lent:
        """Raises TimeoutError, and whatever the driver raises where it cannot connect."""
        began = time.perf_counter()
        try:
            while self._at_hand:
                conn = self._at_hand.pop()
                if _is_as_it_was(conn):
                    return conn
                await self._release(conn)  # it was closed meanwhile
            # The driver's own limit would make a task of it.
            async with asyncio.timeout(self.patience_s):
                return await self._next()
        finally:
            self.metrics.acquire_seconds.observe(time.perf_counter() - began)

    async def take_back(self, conn: Lent) -> None:
        if self._is_ending or not _is_as_it_was(conn):
            await self._release(conn)
        elif not self._hand_on(conn):
            self._at_hand.append(conn)

    async def end(self) -> None:
        """From now on, what comes back is the pool's."""
        self._is_ending = True
        while self._at_hand:
            await self._release(self._at_hand.pop())

    async def _next(self) -> Lent:
        while self._lent >= self.pool.get_max_size():
            conn = await self._turn()
            if conn is not None:
                if _is_as_it_was(conn):
                    return conn
                await self._release(conn)
        self._lent += 1
        try:
            return await self.pool.acquire()
        except BaseException:
            self._lent -= 1
            self._hand_on(None)
            raise

    async def _turn(self) -> Lent | None:
        turn: asyncio.Future[Lent | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                # It came at the moment when nobody wanted it any longer.
                conn = turn.result()
                if not self._hand_on(conn) and conn is not None:
                    self._at_hand.append(conn)
            raise

    def _hand_on(self, conn: Lent | None) -> bool:
        """Whether somebody waited."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(conn)
                return True
        return False

    async def _release(self, conn: Lent) -> None:
        """The answer is there; a connection that cannot be given back has been dropped by the pool."""
        try:
            with suppress(*_GONE):
                await self.pool.release(conn)
        finally:
            self._lent -= 1
            self._hand_on(None)


def _is_as_it_was(conn: Lent) -> bool:
    return bool(getattr(conn, "is_as_it_was", False))
