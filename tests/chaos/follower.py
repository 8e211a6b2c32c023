"""A client that subscribes to all events, and reconnects to one server after another."""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from websockets.exceptions import WebSocketException

from app.domain.cursor import Cursor
from tests.chaos.checker import EventKey
from tests.chaos.faults import Server
from tests.websocket_client import open_websocket, subscribe

FOLLOW = """subscription ($after: String) { assignmentEvents(afterCursor: $after) {
    cursor type occurredAt ticket { id } assignment { assignmentSequence } } }"""
LONGEST_STAY_S = 5


@dataclass
class Follower:
    servers: list[Server]
    rng: random.Random
    cursor: str = str(Cursor.after(0))
    received: list[EventKey] = field(default_factory=list)
    connections: int = 0

    async def follow(self) -> None:
        """Subscribe until cancelled, always from the last cursor."""
        while True:
            # A stream that ends, a cut connection, a server that refuses or does not respond: reconnect.
            with suppress(OSError, WebSocketException, AssertionError, EOFError):
                async with asyncio.timeout(self.rng.uniform(1, LONGEST_STAY_S)):
                    await self._listen(self.rng.choice(self.servers).proxy.port)
            await asyncio.sleep(self.rng.uniform(0, 0.2))

    async def _listen(self, port: int) -> None:
        async with open_websocket(port, close_timeout=0.1) as ws:
            self.connections += 1
            await ws.send(subscribe("f", FOLLOW, after=self.cursor))
            while (message := await ws.receive())["type"] == "next":
                if not (data := message["payload"].get("data")):
                    return
                event = data["assignmentEvents"]
                self.cursor = event["cursor"]
                self.received.append(
                    (
                        event["ticket"]["id"],
                        event["assignment"]["assignmentSequence"],
                        event["type"],
                        datetime.fromisoformat(event["occurredAt"]),
                    )
                )

    async def until_received(self, events: int) -> None:
        while len(self.received) < events:
            await asyncio.sleep(0.05)
