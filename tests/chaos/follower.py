"""Somebody who follows all events for ever, now over this server, now over that."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from websockets.exceptions import WebSocketException

from app.domain.cursor import Cursor
from tests.chaos.checker import Heard
from tests.chaos.faults import Server
from tests.websocket_client import subscribe, talking

FOLLOW = """subscription ($after: String) { assignmentEvents(afterCursor: $after) {
    cursor type occurredAt ticket { id } assignment { assignmentSequence } } }"""
LONGEST_STAY_S = 5


@dataclass
class Follower:
    servers: list[Server]
    dice: random.Random
    cursor: str = str(Cursor.after(0))
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0

    async def follow(self) -> None:
        """Until cancelled; what was heard last is where to go on."""
        while True:
            # A stream that ends, a line that is cut, a server that refuses or says nothing: all the same.
            with suppress(OSError, WebSocketException, AssertionError, EOFError):
                async with asyncio.timeout(self.dice.uniform(1, LONGEST_STAY_S)):
                    await self._listen(self.dice.choice(self.servers).line.port)
            await asyncio.sleep(self.dice.uniform(0, 0.2))

    async def _listen(self, port: int) -> None:
        async with talking(port, close_timeout=0.1) as talk:
            self.connections += 1
            await talk.say(subscribe("f", FOLLOW, after=self.cursor))
            while (message := await talk.hear())["type"] == "next":
                if not (data := message["payload"].get("data")):
                    return
                event = data["assignmentEvents"]
                self.cursor = event["cursor"]
                self.heard.append(
                    (
                        event["ticket"]["id"],
                        event["assignment"]["assignmentSequence"],
                        event["type"],
                        datetime.fromisoformat(event["occurredAt"]),
                    )
                )

    async def has_heard(self, events: int) -> None:
        while len(self.heard) < events:
            await asyncio.sleep(0.05)
