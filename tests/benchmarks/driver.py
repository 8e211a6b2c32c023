"""Sends requests over kept connections, as fast as they are answered or at a fixed rate, and counts.

Its own rather than wrk: it takes turns among a thousand tokens, looks into each answer, and paces requests so
that those which wait behind others count their waiting. It is made to take little of a core beside a server.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httptools

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTIONS = 32


@dataclass
class Answers:
    """What came back."""

    waits: list[float] = field(default_factory=list)
    """Seconds from when a request was due until its right answer was whole."""
    wrong: list[bytes] = field(default_factory=list)
    """How the answers began which did not hold what they should."""
    took_s: float = 0

    def check(self, what: str) -> None:
        """Say what was wrong. Raises SystemExit where nothing was right."""
        if self.wrong:
            said = f"{what}: {len(self.wrong)} answers beside {len(self.waits)} right ones were wrong"
            print(f"{said}, such as {self.wrong[0]!r}", file=sys.stderr)
        if not self.waits:
            raise SystemExit(f"{what}: there was no right answer")


class _Connection(asyncio.Protocol):
    """Asks one thing at a time."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._parser = httptools.HttpResponseParser(self)
        self._due = 0.0
        self._beginning = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def ask(self, request: bytes, due: float) -> None:
        self._due, self._beginning = due, b""
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        self._beginning = self._beginning or part

    def on_message_complete(self) -> None:
        self._load.answered(self, self._due, self._beginning, self._parser.get_status_code())

    def connection_lost(self, _: Exception | None) -> None:
        self._load.lost(self)

    def close(self) -> None:
        self._transport.abort()


class _Load:
    def __init__(self, requests: Iterator[bytes], expected: bytes, rate: float | None) -> None:
        self._requests, self._expected = requests, expected
        self._gap_s = None if rate is None else 1 / rate
        self._idle: list[_Connection] = []
        self._waiting: deque[float] = deque()
        self._open = 0
        self._over = False
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.answers = Answers()

    async def run(self, port: int, seconds: float) -> Answers:
        loop = asyncio.get_running_loop()
        connections = [
            (await loop.create_connection(lambda: _Connection(self), "127.0.0.1", port))[1]
            for _ in range(CONNECTIONS)
        ]
        began = time.perf_counter()
        self._next_due, self._ends_at = began, began + seconds
        try:
            if self._gap_s is None:
                for connection in connections:
                    self._ask(connection, began)
            else:
                self._idle = list(connections)
                self._tick(self._gap_s)
            await self._ended
        finally:
            self._ended.cancel()
            for connection in connections:
                connection.close()
        self.answers.took_s = time.perf_counter() - began
        return self.answers

    def answered(self, connection: _Connection, due: float, beginning: bytes, status: int) -> None:
        now = time.perf_counter()
        if status != HTTPStatus.OK or self._expected not in beginning or b'"errors":' in beginning:
            self.answers.wrong.append(beginning[:500])
        else:
            self.answers.waits.append(now - due)
        self._open -= 1
        if self._gap_s is None:
            self._over = self._over or now >= self._ends_at
            if self._over:
                self._idle.append(connection)
            else:
                self._ask(connection, now)
        elif self._waiting:
            self._ask(connection, self._waiting.popleft())
        else:
            self._idle.append(connection)
        self._end_when_all_is_answered()

    def lost(self, connection: _Connection) -> None:
        """A server may close what is idle for some seconds; the others go on."""
        if connection in self._idle and len(self._idle) + self._open > 1:
            self._idle.remove(connection)
        elif not self._ended.done():
            self._ended.set_exception(ConnectionError("the server has closed a connection"))

    def _ask(self, connection: _Connection, due: float) -> None:
        request = next(self._requests, None)
        if request is None:
            self._over = True
            self._idle.append(connection)
        else:
            self._open += 1
            connection.ask(request, due)

    def _tick(self, gap_s: float) -> None:
        """Send what is due by now, on a free connection or else on the next that becomes free."""
        now = time.perf_counter()
        while self._next_due <= now and self._next_due < self._ends_at:
            if self._idle:
                self._ask(self._idle.pop(), self._next_due)
            else:
                self._waiting.append(self._next_due)
            self._next_due += gap_s
        self._over = self._next_due >= self._ends_at
        if not self._over:
            asyncio.get_running_loop().call_later(self._next_due - now, self._tick, gap_s)
        self._end_when_all_is_answered()

    def _end_when_all_is_answered(self) -> None:
        if self._over and not self._open and not self._waiting and not self._ended.done():
            self._ended.set_result(None)


async def flood(port: int, requests: Iterator[bytes], seconds: float, *, expected: bytes) -> Answers:
    """Each connection asks again as soon as it is answered. Ends early when there are no more requests."""
    return await _Load(requests, expected, None).run(port, seconds)


async def pace(
    port: int, requests: Iterator[bytes], seconds: float, *, expected: bytes, rate: float
) -> Answers:
    """`rate` requests are due each second, whether earlier ones are answered or not. There must be enough."""
    return await _Load(requests, expected, rate).run(port, seconds)
