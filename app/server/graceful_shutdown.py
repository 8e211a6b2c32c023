"""How a server ends: what was begun is finished, streams are completed, and all in a bounded time."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
import uvicorn

if TYPE_CHECKING:
    import socket

log = structlog.get_logger()

_NEW_OBJECTS = 50_000
"""Between two collections. A large answer is a thousand objects, nearly none of which stand in a circle."""


@dataclass(slots=True)
class ShutdownState:
    """What the application knows of its end."""

    end_streams: Callable[[], Awaitable[object]]
    """Completes subscriptions, after the operations of their sockets."""
    has_started: bool = False


class Server(uvicorn.Server):
    """uvicorn, but a signal is first told to load balancers, and streams do not keep it from ending.

    The collector of circles is spared what need not be looked at.
    """

    def __init__(self, config: uvicorn.Config, shutdown_state: ShutdownState, *, drain_s: float) -> None:
        super().__init__(config)
        self._stopping = shutdown_state
        self._drain_s = drain_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What is there by now stays: to walk through it again and again, a full collection took up to 0.3 s.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.has_started = True
        log.info("stopping", drain_s=self._drain_s)
        await self._drain()
        if not self.force_exit:
            await self._stopping.end_streams()
        await super().shutdown(sockets)

    async def _drain(self) -> None:
        """Go on as before, until those who ask /readyz have stopped sending; a second signal ends it."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._drain_s
        while loop.time() < until and not self.force_exit:  # noqa: ASYNC110 - uvicorn sets a flag
            await asyncio.sleep(0.1)
