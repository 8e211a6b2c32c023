"""Graceful shutdown in bounded time: readiness fails, then requests finish and streams complete."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
import uvicorn

from app.server.garbage_collection import FullCollections

if TYPE_CHECKING:
    import socket

log = structlog.get_logger()


def address_of(bound: socket.socket) -> str:
    """Return the URL at which a client on this machine reaches the socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@dataclass(slots=True)
class ShutdownState:
    """Shared by the server and the application."""

    end_streams: Callable[[], Awaitable[object]]
    """Completes subscriptions after the running operations of their sockets."""
    has_started: bool = False


class Server(uvicorn.Server):
    """At a signal, fails readiness for `drain_s` before it stops, and then ends streams, too."""

    def __init__(
        self,
        config: uvicorn.Config,
        shutdown_state: ShutdownState,
        *,
        drain_s: float,
        on_start: Callable[[], object],
    ) -> None:
        super().__init__(config)
        self._shutdown_state = shutdown_state
        self._drain_s = drain_s
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            log.info("serving", addresses=[address_of(each) for each in sockets or []])
            self._on_start()
        self._full_collections = FullCollections()

    async def on_tick(self, counter: int) -> bool:
        self._full_collections.collect(is_idle=not self.server_state.tasks)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._shutdown_state.has_started = True
        log.info("stopping", drain_s=self._drain_s)
        await self._drain()
        if not self.force_exit:
            await self._shutdown_state.end_streams()
        await super().shutdown(sockets)

    async def _drain(self) -> None:
        """Keep serving until load balancers have noticed /readyz; a second signal skips the rest."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._drain_s
        while loop.time() < deadline and not self.force_exit:  # noqa: ASYNC110 - uvicorn sets a flag
            await asyncio.sleep(0.1)
