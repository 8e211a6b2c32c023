"""A TCP proxy in front of one server that can be slow, or cut connections at any byte."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass


@dataclass
class Proxy:
    """Forwards chunks of `chunk_bytes`, each `delay_s` late; cuts with `cut_probability` per chunk."""

    server_port: int
    rng: random.Random
    port: int = 0
    chunk_bytes: int = 64 * 1024
    delay_s: float = 0
    cut_probability: float = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        serving = set[asyncio.Task[None]]()

        def serve(client_reader: asyncio.StreamReader, client_writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._serve(client_reader, client_writer))
            serving.add(task)
            task.add_done_callback(serving.discard)
            # Even when the task was cancelled before it started.
            task.add_done_callback(lambda _: client_writer.transport.abort())

        listener = await asyncio.start_server(serve, "127.0.0.1")
        self.port = listener.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            listener.close()
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, client_reader: asyncio.StreamReader, client_writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.server_port)
            both = [
                asyncio.create_task(self._forward(client_reader, server_writer)),
                asyncio.create_task(self._forward(server_reader, client_writer)),
            ]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                server_writer.transport.abort()
                for task in both:
                    task.cancel()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(self.chunk_bytes):
                await asyncio.sleep(self.delay_s)
                cut = self.rng.random() < self.cut_probability
                writer.write(chunk[: self.rng.randrange(len(chunk))] if cut else chunk)
                await writer.drain()
                if cut:
                    # Send what was written, and nothing after it.
                    writer.close()
                    await writer.wait_closed()
                    return
