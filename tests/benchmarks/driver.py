"""Load generator: keeps connections open and sends requests back to back, or at a fixed rate.

Not wrk, because it rotates a thousand tokens, checks every response, and measures latency from the time a
request was due (no coordinated omission). It uses little CPU beside the server.
"""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httptools

CONNECTIONS = 32


@dataclass
class Responses:
    latencies_s: list[float] = field(default_factory=list)
    """Seconds from the time a request was due until its valid response was complete."""
    invalid: list[bytes] = field(default_factory=list)
    """The start of each response without the expected content."""
    duration_s: float = 0

    def check(self, what: str) -> None:
        """Report invalid responses. Raises SystemExit if none was valid."""
        if self.invalid:
            counts = f"{len(self.invalid)} invalid and {len(self.latencies_s)} valid responses"
            print(f"{what}: {counts}, such as {self.invalid[0]!r}", file=sys.stderr)
        if not self.latencies_s:
            raise SystemExit(f"{what}: no valid response")


class _Connection(asyncio.Protocol):
    """Sends one request at a time."""

    def __init__(self, load: "_LoadGenerator") -> None:
        self._load = load
        self._parser = httptools.HttpResponseParser(self)
        self._due = 0.0
        self._body_start = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def send(self, request: bytes, due: float) -> None:
        self._due, self._body_start = due, b""
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        self._body_start = self._body_start or part

    def on_message_complete(self) -> None:
        self._load.on_response(self, self._due, self._body_start, self._parser.get_status_code())

    def connection_lost(self, _: Exception | None) -> None:
        self._load.on_disconnect(self)

    def close(self) -> None:
        self._transport.abort()


class _LoadGenerator:
    def __init__(self, requests: Iterator[bytes], expected: bytes, rate: float | None) -> None:
        self._requests, self._expected = requests, expected
        self._interval_s = None if rate is None else 1 / rate
        self._idle: list[_Connection] = []
        self._overdue: deque[float] = deque()
        self._open = 0
        self._is_over = False
        self._finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.responses = Responses()

    async def run(self, port: int, seconds: float, connection_count: int) -> Responses:
        loop = asyncio.get_running_loop()
        connections = [
            (await loop.create_connection(lambda: _Connection(self), "127.0.0.1", port))[1]
            for _ in range(connection_count)
        ]
        started = time.perf_counter()
        self._next_due, self._ends_at = started, started + seconds
        try:
            if self._interval_s is None:
                for connection in connections:
                    self._send(connection, started)
            else:
                self._idle = list(connections)
                self._tick(self._interval_s)
            await self._finished
        finally:
            self._finished.cancel()
            for connection in connections:
                connection.close()
        self.responses.duration_s = time.perf_counter() - started
        return self.responses

    def on_response(self, connection: _Connection, due: float, body_start: bytes, status: int) -> None:
        now = time.perf_counter()
        if status != HTTPStatus.OK or self._expected not in body_start or b'"errors":' in body_start:
            self.responses.invalid.append(body_start[:500])
        else:
            self.responses.latencies_s.append(now - due)
        self._open -= 1
        if self._interval_s is None:
            self._is_over = self._is_over or now >= self._ends_at
            if self._is_over:
                self._idle.append(connection)
            else:
                self._send(connection, now)
        elif self._overdue:
            self._send(connection, self._overdue.popleft())
        else:
            self._idle.append(connection)
        self._finish_when_idle()

    def on_disconnect(self, connection: _Connection) -> None:
        """A server may close an idle connection; the others continue."""
        if connection in self._idle and len(self._idle) + self._open > 1:
            self._idle.remove(connection)
        elif not self._finished.done():
            self._finished.set_exception(ConnectionError("the server closed a connection"))

    def _send(self, connection: _Connection, due: float) -> None:
        request = next(self._requests, None)
        if request is None:
            self._is_over = True
            self._idle.append(connection)
        else:
            self._open += 1
            connection.send(request, due)

    def _tick(self, interval_s: float) -> None:
        """Send the requests due by now, on idle connections or on the next that becomes idle."""
        now = time.perf_counter()
        while self._next_due <= now and self._next_due < self._ends_at:
            if self._idle:
                # In turns: the server closes a connection that is idle for long.
                self._send(self._idle.pop(0), self._next_due)
            else:
                self._overdue.append(self._next_due)
            self._next_due += interval_s
        self._is_over = self._next_due >= self._ends_at
        if not self._is_over:
            asyncio.get_running_loop().call_later(self._next_due - now, self._tick, interval_s)
        self._finish_when_idle()

    def _finish_when_idle(self) -> None:
        if self._is_over and not self._open and not self._overdue and not self._finished.done():
            self._finished.set_result(None)


async def flood(
    port: int, requests: Iterator[bytes], seconds: float, *, expected: bytes, connections: int = CONNECTIONS
) -> Responses:
    """Each connection sends the next request after a response. Ends early without more requests."""
    return await _LoadGenerator(requests, expected, None).run(port, seconds, connections)


async def pace(
    port: int, requests: Iterator[bytes], seconds: float, *, expected: bytes, rate: float
) -> Responses:
    """Send `rate` requests per second, whether earlier ones are answered or not."""
    return await _LoadGenerator(requests, expected, rate).run(port, seconds, CONNECTIONS)
