"""The application on a real socket, for tests of what happens below ASGI."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from app.server.request_timeout import RequestTimeoutProtocol
from app.server.server import config
from tests.apps import make_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LIMIT_S = 0.5
PATIENCE_S = 20


class Impatient(RequestTimeoutProtocol):
    timeout_s = LIMIT_S


@dataclass(frozen=True)
class Served:
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/graphql"

    async def say(self, request: bytes) -> bytes:
        """Send raw bytes. Returns everything that arrives until the server closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            return await asyncio.wait_for(reader.read(), PATIENCE_S)
        finally:
            writer.close()


@asynccontextmanager
async def serving(app: Any, *, port: int = 0, **protocols: Any) -> AsyncIterator[Served]:
    server = uvicorn.Server(config(app, "127.0.0.1", port, log_level="critical", **protocols))
    task = asyncio.create_task(server._serve())  # `serve` would take the signals of pytest
    while not server.started:
        assert not task.done()
        await asyncio.sleep(0.01)
    try:
        yield Served(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        await task


@pytest.fixture(scope="session")
def app(shared_url: str) -> Any:
    return make_app(shared_url)


@pytest.fixture(scope="session")
async def served(app: Any) -> AsyncIterator[Served]:
    async with serving(app) as served:
        yield served


@pytest.fixture(scope="session")
async def impatient(shared_url: str) -> AsyncIterator[Served]:
    """Like `served`, but a request must be complete within LIMIT_S."""
    app = make_app(shared_url)
    async with serving(app, http=Impatient) as served:
        yield served
