"""A line between clients and one server, which may be slow, or cut in the middle of anything."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class Proxy:
    """Passes everything on, in pieces of `piece_bytes`, each `delay_s` late, and cuts at one in so many."""

    server_port: int
    dice: random.Random
    port: int = 0
    piece_bytes: int = 64 * 1024
    delay_s: float = 0
    cuts: float = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        serving = set[asyncio.Task[None]]()

        def serve(client_says: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._serve(client_says, to_client))
            serving.add(task)
            task.add_done_callback(serving.discard)
            # Also where it was cancelled before it began.
            task.add_done_callback(lambda _: to_client.transport.abort())

        listener = await asyncio.start_server(serve, "127.0.0.1")
        self.port = listener.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            listener.close()
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, client_says: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            server_says, to_server = await asyncio.open_connection("127.0.0.1", self.server_port)
            both = [
                asyncio.create_task(self._pass_on(client_says, to_server)),
                asyncio.create_task(self._pass_on(server_says, to_client)),
            ]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                to_server.transport.abort()
                for task in both:
                    task.cancel()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(self.piece_bytes):
                await asyncio.sleep(self.delay_s)
                cut = self.dice.random() < self.cuts
                writer.write(piece[: self.dice.randrange(len(piece))] if cut else piece)
                await writer.drain()
                if cut:
                    # What was written goes out, and nothing after it.
                    writer.close()
                    await writer.wait_closed()
                    return
