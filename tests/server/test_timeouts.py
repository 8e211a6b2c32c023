"""Timeouts for slow requests and slow readers."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any

import pytest

from app.graphql.admission.limits import Limits
from app.server.request_timeout import RequestTimeoutProtocol
from app.server.websocket_protocol import WebSocketProtocol
from app.server.write_timeout import WriteTimeoutMixin
from tests.apps import make_app
from tests.serving import LIMIT_S, PATIENCE_S, Served, ShortTimeoutProtocol, serving
from tests.websocket_client import open_websocket, subscribe

POST = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
BODY = b'{"query": "{ __typename }"}'
WHOLE = POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"

SLOW: dict[str, tuple[bytes, bytes]] = {
    "sends nothing": (b"", b""),
    "stops in the request line": (b"POST /gra", b""),
    "sends headers without end": (POST, b"X-A: b\r\n"),
    "sends a header without end": (POST + b"X-A: ", b"b"),
    "sends a URL without end": (b"GET /", b"a"),
    "never sends the body": (POST + b"Content-Length: 1000\r\n\r\n", b""),
    "sends the body byte by byte": (POST + b"Content-Length: 1000\r\n\r\n", b" "),
    "sends chunk by chunk": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "sends trailers without end": (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: b\r\n"),
    "waits for 100 Continue": (POST + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n", b""),
    "is slow with the second request": (WHOLE + POST, b"X-A: b\r\n"),
    "sends empty lines after the first request": (WHOLE, b"\r\n"),
}
"""What is sent at once, and what is sent repeatedly after it."""


async def drip(writer: asyncio.StreamWriter, piece: bytes) -> None:
    with suppress(OSError):
        while True:
            await asyncio.sleep(LIMIT_S / 10)
            writer.write(piece)
            await writer.drain()


async def response_to(port: int, first: bytes, piece: bytes) -> bytes | None:
    """All that the server sends until it closes; None if it resets a client that is still sending."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    dripping = asyncio.create_task(drip(writer, piece))
    try:
        writer.write(first)
        return await asyncio.wait_for(reader.read(), PATIENCE_S)
    except ConnectionResetError:
        return None
    finally:
        dripping.cancel()
        writer.close()


@pytest.mark.parametrize("kind", SLOW)
async def test_a_slow_request_gets_408_and_is_disconnected(short_timeout, kind):
    first, piece = SLOW[kind]
    response = await response_to(short_timeout.port, first, piece)
    if response is None:
        assert piece
    else:
        assert b"HTTP/1.1 408 Request Timeout\r\n" in response
        assert response.endswith(b'"code":"REQUEST_TIMEOUT"}}]}')


async def test_a_client_that_keeps_sending_after_an_error_is_disconnected(short_timeout):
    for refused in (
        b"PUT /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n\r\n",
        POST + b"Content-Length: 999999\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", short_timeout.port)
        writer.write(refused)
        assert (await reader.readline()).split()[1] in (b"405", b"413")
        dripping = asyncio.create_task(drip(writer, b" "))
        with suppress(ConnectionResetError):
            await asyncio.wait_for(reader.read(), PATIENCE_S)
        dripping.cancel()
        writer.close()


async def test_many_slow_clients_do_not_delay_others(short_timeout):
    slow = [
        asyncio.create_task(response_to(short_timeout.port, *SLOW[kind])) for kind in SLOW for _ in range(5)
    ]
    await asyncio.sleep(LIMIT_S / 5)
    assert (await short_timeout.send(LIVEZ.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))).endswith(
        b"ok\n"
    )
    responses = await asyncio.gather(*slow)
    assert [response for response in responses if response is not None and b" 408 " not in response] == []


async def test_a_request_within_the_timeout_is_served(short_timeout):
    reader, writer = await asyncio.open_connection("127.0.0.1", short_timeout.port)
    for third in pieces(WHOLE, 3):
        writer.write(third)
        await asyncio.sleep(LIMIT_S / 6)
    assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    writer.close()


async def test_a_connection_can_outlive_the_request_timeout(short_timeout):
    reader, writer = await asyncio.open_connection("127.0.0.1", short_timeout.port)
    for _ in range(7):
        writer.write(LIVEZ)
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        assert (await reader.readuntil(b"ok\n")).endswith(b"\r\n\r\nok\n")
        await asyncio.sleep(LIMIT_S / 4)
    writer.close()


async def slow_application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    await asyncio.sleep(LIMIT_S * 2.5)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def slow() -> AsyncIterator[Any]:
    async with serving(slow_application, http=ShortTimeoutProtocol) as served:
        yield served


async def test_a_client_that_waits_for_a_response_does_not_time_out(slow):
    """Even if it has started or sent its next request in the meantime."""

    async def status_line(request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", slow.port)
        writer.write(request)
        line = await asyncio.wait_for(reader.readline(), PATIENCE_S)
        writer.close()
        return line

    next_requests = (b"", b"GET /", LIVEZ, POST + b"Content-Length: 2\r\n\r\n ")
    lines = await asyncio.gather(*(status_line(LIVEZ + request) for request in next_requests))
    assert lines == [b"HTTP/1.1 200 OK\r\n"] * 4


def pieces(whole: bytes, count: int) -> Iterable[bytes]:
    size = len(whole) // count + 1
    return (whole[start : start + size] for start in range(0, len(whole), size))


# Slow readers


class ShortWriteTimeout(WriteTimeoutMixin):
    write_timeout_s = LIMIT_S


class SlowReaderProtocol(ShortWriteTimeout, RequestTimeoutProtocol):
    pass


class SlowReaderWebSocket(ShortWriteTimeout, WebSocketProtocol):
    pass


def small_buffer_client(port: int) -> socket.socket:
    """A connection with a small receive buffer."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.setblocking(False)  # noqa: FBT003 - as the module has it
    return client


@pytest.fixture
async def short_write_timeout(shared_url) -> AsyncIterator[Served]:
    """A server that disconnects slow readers after LIMIT_S."""
    limits = Limits(operations=MANY)
    app = make_app(shared_url, limits=limits)
    async with serving(app, http=SlowReaderProtocol, ws=SlowReaderWebSocket) as served:
        yield served


MANY = 500
LARGE_RESPONSE = "{ %s }" % ("a" * 16_000)
"""Little work with a large response, which repeats the name in an error."""


async def test_an_unread_websocket_is_closed_and_its_operations_end(short_write_timeout):
    before = asyncio.all_tasks()
    reader = small_buffer_client(short_write_timeout.port)
    async with open_websocket(short_write_timeout.port, sock=reader, max_queue=1, close_timeout=0.1) as ws:
        ws.socket.transport.pause_reading()
        await ws.send(*(subscribe(str(i), LARGE_RESPONSE) for i in range(MANY)))
        await asyncio.sleep(LIMIT_S)
        connections = [task for task in asyncio.all_tasks() - before if "run_asgi" in repr(task)]
        assert len(connections) == 1
        assert (await asyncio.wait(connections, timeout=PATIENCE_S))[1] == set()


async def keep_sending(client: socket.socket, request: bytes) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await loop.sock_sendall(client, request)
        await asyncio.sleep(0.001)


async def test_an_unread_response_closes_the_connection(short_write_timeout):
    body = b'{"query": "%b"}' % LARGE_RESPONSE.encode()
    post = POST + b"Content-Length: %d\r\n\r\n" % len(body) + body
    # A client that is still sending notices the reset.
    with small_buffer_client(short_write_timeout.port) as client, pytest.raises(ConnectionError):
        await asyncio.wait_for(keep_sending(client, post), PATIENCE_S)
