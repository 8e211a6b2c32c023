"""The application served on a real socket, for what uvicorn's protocol decides below ASGI."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn

from app.server.request_timeout import RequestTimeoutProtocol
from app.server.server import config
from tests.apps import make_app
from tests.polling import until

LIMIT_S = 0.5
PATIENCE_S = 20
_FEED_RUNS = re.compile(r"^baton_feed_last_poll_timestamp_seconds [1-9]", re.MULTILINE)


class ShortTimeoutProtocol(RequestTimeoutProtocol):
    timeout_s = LIMIT_S
    linger_s = LIMIT_S


@dataclass(frozen=True)
class Served:
    port: int

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.base_url}/graphql"

    async def until_feed_runs(self) -> None:
        """Wait until subscriptions receive events: the feed starts a moment after the server."""
        async with httpx.AsyncClient(base_url=self.base_url) as client:

            async def has_polled() -> bool:
                return _FEED_RUNS.search((await client.get("/metrics")).text) is not None

            await until(has_polled)

    async def send(self, *pieces: bytes) -> bytes:
        """Send raw bytes in packets. Returns what arrives until the server closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0)
            return await asyncio.wait_for(reader.read(), PATIENCE_S)
        finally:
            writer.close()


@asynccontextmanager
async def serving(app: Any, *, port: int = 0, **protocols: Any) -> AsyncIterator[Served]:
    server = uvicorn.Server(config(app, "127.0.0.1", port, log_level="critical", **protocols))
    task = asyncio.create_task(server._serve())  # `serve` would install signal handlers
    await until(lambda: server.started or task.done())
    assert not task.done()
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
        await served.until_feed_runs()
        yield served


@pytest.fixture(scope="session")
async def short_timeout(shared_url: str) -> AsyncIterator[Served]:
    """As `served`, but a request must be complete within LIMIT_S."""
    app = make_app(shared_url)
    async with serving(app, http=ShortTimeoutProtocol) as served:
        yield served
