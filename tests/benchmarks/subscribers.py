"""Lets many subscribers follow while dispatchers work, and says when each heard of each change.

python -m tests.benchmarks.subscribers [--subscribers 1000] [--changes 200] [--per-second 20]
"""

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import httpx
import orjson
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from app.db.pool import open_database
from app.domain.model import EngineerId, Role
from app.graphql.transport.websocket import PROTOCOL
from app.http.auth.tokens import DevelopmentTokens
from tests.benchmarks.shared import cpu_s, memory_mb, table
from tests.databases import free_port, migrate_whole, new_database, new_home, new_server
from tests.factories import Factories
from tests.processes import running_app

SECRET = "a secret of thirty-two characters"  # noqa: S105 - of this benchmark only
FOLLOW = """subscription { assignmentEvents { cursor type
    ticket { id status currentAssignment { id status engineer { name } } } assignment { id } } }"""
ASSIGN = (
    "mutation($i: AssignTicketInput!) { assignTicket(input: $i) { __typename ... on Assignment { id } } }"
)


@dataclass
class Subscriber:
    received: dict[str, float] = field(default_factory=dict)
    repeated: int = 0

    async def follow(self, url: str, token: str, ready: asyncio.Semaphore) -> None:
        async with connect(url, subprotocols=[Subprotocol(PROTOCOL)], proxy=None, compression=None) as socket:
            await socket.send(
                orjson.dumps({"type": "connection_init", "payload": {"Authorization": token}}).decode()
            )
            await socket.recv()
            message = {"id": "1", "type": "subscribe", "payload": {"query": FOLLOW}}
            await socket.send(orjson.dumps(message).decode())
            ready.release()
            async for text in socket:
                payload = orjson.loads(text)["payload"]
                assignment_id = payload["data"]["assignmentEvents"]["assignment"]["id"]
                self.repeated += assignment_id in self.received
                self.received[assignment_id] = time.perf_counter()


async def main(options: argparse.Namespace) -> None:
    tokens = DevelopmentTokens(SECRET)
    with new_server() as server:
        async with new_database(server) as database:
            await migrate_whole(database)
            async with open_database(database, pool_size=2) as db:
                make = Factories(db)
                engineer = await make.engineer()
                tickets = [await make.ticket() for _ in range(options.changes)]
            port = free_port()
            # Under this load requests wait for a connection instead of failing.
            env = os.environ | {
                "DATABASE_URL": database,
                "AUTH_DEV_SECRET": SECRET,
                "APP_ENV": "development",
                "DATABASE_ACQUIRE_TIMEOUT_S": "30",
            }
            with new_home() as home, running_app("serve", port=port, env=env, output=home / "log") as process:
                await measure(options, port, tokens, process.pid, str(engineer), tickets)


async def measure(
    options: argparse.Namespace,
    port: int,
    tokens: DevelopmentTokens,
    pid: int,
    engineer: str,
    tickets: Sequence[str],
) -> None:
    empty = memory_mb(pid)
    ready = asyncio.Semaphore(0)
    subscribers = [Subscriber() for _ in range(options.subscribers)]
    subscriptions = [
        asyncio.create_task(subscriber.follow(f"ws://127.0.0.1:{port}/graphql", token_of(tokens, i), ready))
        for i, subscriber in enumerate(subscribers)
    ]
    for _ in subscribers:
        await ready.acquire()
    await asyncio.sleep(1)
    before, cpu = memory_mb(pid), cpu_s(pid)
    committed: dict[str, float] = {}
    headers = {"Authorization": token_of(tokens, 0)}
    async with httpx.AsyncClient(headers=headers, timeout=60) as client:

        async def change(ticket: str) -> None:
            variables = {"i": {"ticketId": ticket, "engineerId": engineer}}
            response = await client.post(
                f"http://127.0.0.1:{port}/graphql", json={"query": ASSIGN, "variables": variables}
            )
            committed[response.json()["data"]["assignTicket"]["id"]] = time.perf_counter()

        mutations = []
        for ticket in tickets:
            mutations.append(asyncio.create_task(change(ticket)))
            await asyncio.sleep(1 / options.per_second)
        await asyncio.gather(*mutations)
    deadline = time.perf_counter() + 60
    while time.perf_counter() < deadline and any(len(s.received) < len(committed) for s in subscribers):
        await asyncio.sleep(0.1)
    latencies_s = sorted(
        s.received[a] - at for s in subscribers for a, at in committed.items() if a in s.received
    )
    received = sum(len(s.received) for s in subscribers)
    table(
        f"{len(subscribers)} subscribers, {len(committed)} changes, {options.per_second:g} per second",
        ("", ""),
        [
            ("received", f"{received} of {len(subscribers) * len(committed)}"),
            ("received twice", f"{sum(s.repeated for s in subscribers)}"),
            ("ms after the mutation's response", quantiles(latencies_s)),
            ("CPU of the server per event", f"{(cpu_s(pid) - cpu) / max(received, 1) * 1e6:.0f} µs"),
            ("memory without subscribers", f"{empty:.0f} MB"),
            ("memory with all subscribers, and afterwards", f"{before:.0f} MB, {memory_mb(pid):.0f} MB"),
        ],
    )
    for task in subscriptions:
        task.cancel()
    await asyncio.gather(*subscriptions, return_exceptions=True)


def token_of(tokens: DevelopmentTokens, subscriber: int) -> str:
    """Forty share a subject: a subject may have fifty streams."""
    engineer = EngineerId(UUID(int=subscriber // 40))
    return f"Bearer {tokens.sign(Role.AUDITOR if subscriber else Role.DISPATCHER, engineer, ttl_s=3600)}"


def quantiles(latencies_s: Sequence[float]) -> str:
    cuts = statistics.quantiles(latencies_s, n=100)
    return f"p50 {cuts[49] * 1000:.0f}, p99 {cuts[98] * 1000:.0f}, worst {latencies_s[-1] * 1000:.0f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--per-second", type=float, default=20)
    asyncio.run(main(parser.parse_args()))
