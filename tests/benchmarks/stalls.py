"""How long an operation keeps others waiting: the longest the event loop works on it without a pause.

Measured as CPU time, so that the figures are those of an idle machine. The clients are another process.

python -m tests.benchmarks.stalls [--rounds 5] [--only PART OF A NAME]
"""

import argparse
import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from multiprocessing import get_context
from typing import Any

import orjson
import structlog
import uvloop
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from app.domain.model import Role
from app.graphql.admission.limits import Limits
from app.graphql.transport.websocket import PROTOCOL
from app.server.garbage_collection import FullCollections
from tests.apps import TOKENS, make_app
from tests.benchmarks import data
from tests.benchmarks.shared import loaded, memory_mb, postgres, table
from tests.graphql.attacks import ATTACKS, HISTORY_LENGTH, LONG_HISTORY
from tests.serving import serving

_HTTP = {"HTTP": "application/json", "SSE": "text/event-stream"}


@asynccontextmanager
async def heartbeat() -> AsyncIterator[list[float]]:
    """Yields the CPU seconds that this thread worked between the beats of a timer."""
    worked: list[float] = []

    async def beat() -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.001)
            worked.append(time.thread_time() - before)

    task = asyncio.create_task(beat())
    try:
        yield worked
        await asyncio.sleep(0.01)
    finally:
        task.cancel()


def send(port: int, transport: str, token: str, payload: dict[str, Any]) -> int:
    """Send one operation. Returns the size of the response."""
    if transport in _HTTP:
        return _send_http(port, _HTTP[transport], token, orjson.dumps(payload))
    url = f"ws://127.0.0.1:{port}/graphql"
    with connect(url, subprotocols=[Subprotocol(PROTOCOL)], proxy=None, max_size=None) as ws:
        ws.send(orjson.dumps({"type": "connection_init", "payload": {"Authorization": token}}).decode())
        ws.recv()
        ws.send(orjson.dumps({"id": "1", "type": "subscribe", "payload": payload}).decode())
        try:
            return len(ws.recv(decode=False))
        except ConnectionClosed:  # a message that is too large
            return 0


def _send_http(port: int, accept: str, token: str, body: bytes) -> int:
    head = (
        "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Accept: {accept}\r\nAuthorization: {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + body)
        return sum(map(len, iter(lambda: connection.recv(2**20), b"")))


async def measure(port: int, rounds: int, only: str) -> None:
    loop, token = asyncio.get_running_loop(), f"Bearer {TOKENS.sign(Role.DISPATCHER, None, ttl_s=10_000)}"
    rows = []
    with ProcessPoolExecutor(1, get_context("spawn")) as client:
        for name, attack in ATTACKS.items():
            if only not in name:
                continue
            row = [name]
            for transport in (*_HTTP, "WebSocket"):
                new, known, size = [], [], 0
                for n in range(rounds):
                    payload = {
                        "query": f"{attack.document} # {transport} {n}",
                        "variables": attack.variables,
                        "operationName": attack.operation_name,
                    }
                    for worst in (new, known):
                        async with heartbeat() as worked:
                            size = await loop.run_in_executor(client, send, port, transport, token, payload)
                        worst.append(max(worked) * 1e3)
                row += [f"{max(new):.0f}", f"{max(known):.0f}"]
            rows.append((*row, f"{size:,}"))
            print(*rows[-1], sep="\t", flush=True)
    columns = (f"{transport}, {kind}" for transport in (*_HTTP, "WS") for kind in ("new", "known"))
    head = ("", *columns, "bytes")
    table(f"The longest stall in ms, worst of {rounds}", head, rows)


def be_silent() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


async def main(rounds: int, only: str) -> None:
    with postgres() as server:
        async with loaded(server, 2_000) as url:
            await data.load_history(url, LONG_HISTORY.removesuffix("1"), HISTORY_LENGTH)
            limits = Limits(bucket=10**12, refill_per_s=10**12, read_timeout_s=600)
            app = make_app(url, database_pool_size=10, limits=limits)
            async with serving(app) as served:
                be_silent()
                FullCollections()  # as a server does
                await measure(served.port, rounds, only)
                print(f"\nMemory afterwards: {memory_mb('self'):.0f} MB.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="part of the names of attacks")
    options = parser.parse_args()
    uvloop.run(main(options.rounds, options.only))
