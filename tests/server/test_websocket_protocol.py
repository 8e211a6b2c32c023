"""WebSocket handshakes and frames, as raw bytes."""

import asyncio
from contextlib import suppress

import pytest

from tests.apps import make_app
from tests.serving import PATIENCE_S, serving

HANDSHAKE = (
    b"GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n"
)
END = b"\r\n"
REFUSED = {
    "a long header": (431, HANDSHAKE + b"X-A: " + b"a" * 9_000 + END + END),
    "many headers": (431, HANDSHAKE + b"X-A: b\r\n" * 200 + END),
    "a long URL": (431, HANDSHAKE.replace(b"/graphql", b"/graphql?" + b"a" * 9_000) + END),
    "a body": (400, HANDSHAKE + b"Content-Length: 5\r\n\r\nhello"),
    "a chunked body": (400, HANDSHAKE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "no key": (400, HANDSHAKE.replace(b"Sec-WebSocket-Key", b"X-A") + END),
    "an invalid key": (400, HANDSHAKE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"x") + END),
    "another version": (400, HANDSHAKE.replace(b"13", b"8") + END),
    "another method": (405, HANDSHAKE.replace(b"GET", b"PUT") + END),
    "HTTP/1.0": (400, HANDSHAKE.replace(b"1.1", b"1.0") + END),
    "another path": (403, HANDSHAKE.replace(b"/graphql", b"/nothing") + END),
    "another origin": (403, HANDSHAKE + b"Origin: http://evil.example\r\n" + END),
    "a byte that is not ASCII": (400, HANDSHAKE.replace(b"/graphql", b"/graphql\xff") + END),
}


@pytest.mark.parametrize("kind", REFUSED)
async def test_a_refused_handshake_is_answered_and_closed(short_timeout, kind):
    """Also while the client keeps sending."""
    status, request = REFUSED[kind]
    response = await short_timeout.send(request)
    assert response.startswith(b"HTTP/1.1 %d " % status), response
    assert response.count(b"HTTP/1.1") <= 2  # the status line, and the message


async def test_a_handshake_for_another_host_is_refused(shared_url):
    async with serving(make_app(shared_url, allowed_hosts=("tickets.example.com",))) as served:
        response = await served.send(HANDSHAKE.replace(b"Host: x", b"Host: evil.example.com") + END)
        assert response.startswith(b"HTTP/1.1 400 "), response
        assert b"evil" not in response


@pytest.mark.parametrize("header", [b"Cookie: a=%b" % (b"b" * 40_000), b"Content-Length: 0"], ids=len)
async def test_headers_that_browsers_and_devices_send_are_accepted(served, header):
    """Browsers send the cookies of all applications of the host; some devices send a length."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(HANDSHAKE + header + END + END)
    assert await reader.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"
    writer.close()


def frame(opcode: int, payload: bytes = b"", *, is_last: bool = True) -> bytes:
    """A masked frame, as clients send them."""
    return bytes([opcode | is_last << 7, 0x80 | len(payload), 0, 0, 0, 0]) + payload


FLOODS = {
    "pings": frame(9),
    "pongs": frame(10),
    "pings with data": frame(9, b"x" * 125),
    "JSON pings": frame(1, b'{"type":"ping"}'),
    "JSON pongs": frame(1, b'{"type":"pong"}'),
    "parts of a message": frame(0, is_last=False),
}


@pytest.mark.parametrize("kind", FLOODS)
@pytest.mark.parametrize("init", [b"", frame(1, b'{"type":"connection_init"}')])
async def test_a_flood_of_frames_closes_the_connection(served, kind, init):
    """With a code, after a bounded number of them, before connection_init and after it."""
    first = frame(1, is_last=False) if kind == "parts of a message" else b""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(HANDSHAKE + END)
    await reader.readuntil(b"\r\n\r\n")
    writer.write(init + first + FLOODS[kind] * 100_000)
    reading = asyncio.create_task(reader.read())
    with suppress(ConnectionError):
        await writer.drain()
    received = await asyncio.wait_for(reading, PATIENCE_S)
    assert b"\x03\xf0Too many messages, pings or pongs" in received[-80:]
    # The burst, and what was parsed with it.
    assert received.count(b'pong"') + received.count(b"\x8a") <= 1000 + 2 * 700
    writer.close()
