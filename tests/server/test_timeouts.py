"""A client that is late is told so and let go, however it is late; one that is not, is not."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from app.graphql.admission.limits import Limits
from app.server.request_timeout import RequestTimeoutProtocol
from app.server.write_timeout import WebSocketProtocol, WriteTimeoutMixin
from tests.apps import make_app
from tests.serving import LIMIT_S, PATIENCE_S, Impatient, serving
from tests.websocket_client import subscribe, talking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from tests.serving import Served

POST = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
BODY = b'{"query": "{ __typename }"}'
WHOLE = POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"

LATE: dict[str, tuple[bytes, bytes]] = {
    "says nothing": (b"", b""),
    "stops in its first line": (b"POST /gra", b""),
    "goes on with headers for ever": (POST, b"X-A: b\r\n"),
    "goes on with one header for ever": (POST + b"X-A: ", b"b"),
    "goes on with its URL for ever": (b"GET /", b"a"),
    "never sends the body": (POST + b"Content-Length: 1000\r\n\r\n", b""),
    "sends the body byte by byte": (POST + b"Content-Length: 1000\r\n\r\n", b" "),
    "sends chunk by chunk": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "sends a trailer for ever": (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: b\r\n"),
    "waits to be told to continue": (POST + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n", b""),
    "is slow with its second request": (WHOLE + POST, b"X-A: b\r\n"),
    "sends empty lines after its first": (WHOLE, b"\r\n"),
}
"""First what comes at once, then what comes again and again."""


async def drip(writer: asyncio.StreamWriter, piece: bytes) -> None:
    with suppress(OSError):
        while True:
            await asyncio.sleep(LIMIT_S / 10)
            writer.write(piece)
            await writer.drain()


async def sent(port: int, first: bytes, piece: bytes) -> bytes | None:
    """What came back until the server closed; None when the client was reset, as it still sent, unread."""
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


@pytest.mark.parametrize("how", LATE)
async def test_a_client_that_is_late_is_told_so_and_let_go(impatient, how):
    first, piece = LATE[how]
    answer = await sent(impatient.port, first, piece)
    if answer is None:
        assert piece
    else:
        assert b"HTTP/1.1 408 Request Timeout\r\n" in answer
        assert answer.endswith(b'"code":"REQUEST_TIMEOUT"}}]}')


async def test_a_client_that_goes_on_after_its_refusal_is_let_go(impatient):
    for refused in (
        b"PUT /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n\r\n",
        POST + b"Content-Length: 999999\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", impatient.port)
        writer.write(refused)
        assert (await reader.readline()).split()[1] in (b"405", b"413")
        dripping = asyncio.create_task(drip(writer, b" "))
        with suppress(ConnectionResetError):
            await asyncio.wait_for(reader.read(), PATIENCE_S)
        dripping.cancel()
        writer.close()


async def test_many_late_clients_are_no_trouble_to_others(impatient):
    late = [asyncio.create_task(sent(impatient.port, *LATE[how])) for how in LATE for _ in range(5)]
    await asyncio.sleep(LIMIT_S / 5)
    assert (await impatient.say(LIVEZ.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))).endswith(
        b"ok\n"
    )
    assert all(answer is None or b" 408 " in answer for answer in await asyncio.gather(*late))


async def test_a_client_that_is_slow_but_in_time_is_served(impatient):
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient.port)
    for third in pieces(WHOLE, 3):
        writer.write(third)
        await asyncio.sleep(LIMIT_S / 6)
    assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    writer.close()


async def test_a_connection_may_be_kept_for_longer_than_one_request_may_take(impatient):
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient.port)
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
    async with serving(slow_application, http=Impatient) as served:
        yield served


async def test_a_client_that_waits_for_us_is_not_late(slow):
    """Also when it has begun, or sent, its next request in the meantime."""
    for request in (LIVEZ, LIVEZ + b"GET /", LIVEZ + LIVEZ, LIVEZ + POST + b"Content-Length: 2\r\n\r\n "):
        reader, writer = await asyncio.open_connection("127.0.0.1", slow.port)
        writer.write(request)
        assert await asyncio.wait_for(reader.readline(), PATIENCE_S) == b"HTTP/1.1 200 OK\r\n"
        writer.close()


def pieces(whole: bytes, count: int) -> Iterable[bytes]:
    size = len(whole) // count + 1
    return (whole[start : start + size] for start in range(0, len(whole), size))


# Who asks, and does not read


class LittlePatience(WriteTimeoutMixin):
    write_limit_s = LIMIT_S


class ImpatientWriter(LittlePatience, RequestTimeoutProtocol):
    pass


class ImpatientSocket(LittlePatience, WebSocketProtocol):
    pass


def narrow(port: int) -> socket.socket:
    """A connection whose client keeps little of what it has not read."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.connect(("127.0.0.1", port))
    narrow.setblocking(False)  # noqa: FBT003 - as the module has it
    return narrow


@pytest.fixture
async def curt(shared_url) -> AsyncIterator[Served]:
    """A server that gives up on slow readers after LIMIT_S."""
    limits = Limits(operations=ENOUGH, message_burst=ENOUGH)
    app = make_app(shared_url, limits=limits)
    async with serving(app, http=ImpatientWriter, ws=ImpatientSocket) as served:
        yield served


ENOUGH = 500
MUCH = "{ %s }" % ("a" * 16_000)
"""Asks for little work, and for an answer that repeats it."""


async def test_a_socket_that_is_not_read_is_closed_and_what_it_asked_for_ends(curt):
    before = asyncio.all_tasks()
    reader = narrow(curt.port)
    async with talking(curt.port, sock=reader, max_queue=1, close_timeout=0.1) as talk:
        talk.socket.transport.pause_reading()
        await talk.say(*(subscribe(str(i), MUCH) for i in range(ENOUGH)))
        await asyncio.sleep(LIMIT_S)
        running_jobs = [task for task in asyncio.all_tasks() - before if "run_asgi" in repr(task)]
        assert len(running_jobs) == 1
        assert (await asyncio.wait(running_jobs, timeout=PATIENCE_S))[1] == set()


async def keep_sending(client: socket.socket, request: bytes) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await loop.sock_sendall(client, request)
        await asyncio.sleep(0.001)


async def test_an_answer_that_is_not_read_is_given_up(curt):
    body = b'{"query": "%b"}' % MUCH.encode()
    post = POST + b"Content-Length: %d\r\n\r\n" % len(body) + body
    # The server resets it at last, which who still sends notices.
    with narrow(curt.port) as client, pytest.raises(ConnectionError):
        await asyncio.wait_for(keep_sending(client, post), PATIENCE_S)
