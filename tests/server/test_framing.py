"""Request framing: ambiguous requests are refused, against request smuggling."""

import asyncio
import json
import socket
from urllib.parse import quote

import psutil
import pytest

from tests.apps import authorization
from tests.serving import PATIENCE_S

BODY = b'{"query": "{ __typename }"}'
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNK = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
HEAD = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
LAST = b"Connection: close\r\n\r\n"

MALFORMED = {
    "length and chunks": HEAD + LENGTH + CHUNKED + LAST + CHUNK,
    "chunks and length": HEAD + CHUNKED + LENGTH + LAST + CHUNK,
    "two lengths": HEAD + LENGTH + b"Content-Length: 5\r\n" + LAST + BODY,
    "the same length twice": HEAD + LENGTH + LENGTH + LAST + BODY,
    "a length with a sign": HEAD + b"Content-Length: +27\r\n" + LAST + BODY,
    "a negative length": HEAD + b"Content-Length: -1\r\n" + LAST + BODY,
    "a list of lengths": HEAD + b"Content-Length: 27, 27\r\n" + LAST + BODY,
    "a length that overflows": HEAD + b"Content-Length: 99999999999999999999999\r\n" + LAST + BODY,
    "a coding after chunked": HEAD + b"Transfer-Encoding: chunked, gzip\r\n" + LAST + CHUNK,
    "an unknown coding": HEAD + b"Transfer-Encoding: xchunked\r\n" + LAST + CHUNK,
    "two codings": HEAD + CHUNKED + b"Transfer-Encoding: identity\r\n" + LAST + CHUNK,
    "a chunk without a size": HEAD + CHUNKED + LAST + b"\r\n" + CHUNK,
    "a chunk of invalid size": HEAD + CHUNKED + LAST + b"1g\r\n",
    "a chunk of negative size": HEAD + CHUNKED + LAST + b"-1\r\nx\r\n",
    "a chunk longer than its size": HEAD + CHUNKED + LAST + b"1\r\n" + BODY,
    "a chunk size that overflows": HEAD + CHUNKED + LAST + b"fffffffffffffffff\r\n",
    "no Host": b"GET /livez HTTP/1.1\r\n" + LAST,
    "two Hosts": b"GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n" + LAST,
    "a space before the colon": b"GET /livez HTTP/1.1\r\nHost : x\r\n" + LAST,
    "a folded header": b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n" + LAST,
    "a NUL in a header": b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: \0\r\n" + LAST,
    "a space in the URL": b"GET /livez x HTTP/1.1\r\nHost: x\r\n" + LAST,
    "lines that end with LF": (HEAD + LENGTH + LAST).replace(b"\r\n", b"\n") + BODY,
    "one header that ends with LF": HEAD + b"X-A: b\n" + LENGTH + LAST + BODY,
    "a header that ends with CR": HEAD + b"X-A: b\r" + LENGTH + LAST + BODY,
    "a chunk size that ends with LF": HEAD + CHUNKED + LAST + CHUNK.replace(b"\r\n", b"\n", 1),
    "a chunk size with a space before it": HEAD + CHUNKED + LAST + b" " + CHUNK,
    "a chunk size with 0x": HEAD + CHUNKED + LAST + b"0x" + CHUNK,
    "chunks in HTTP/1.0": HEAD.replace(b"/1.1", b"/1.0") + CHUNKED + LAST + CHUNK,
    "CONNECT": b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n" + LAST,
    "CONNECT with a path": b"CONNECT /livez HTTP/1.1\r\nHost: x\r\n" + LAST,
    "no version": b"GET /livez\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 40,
}


UPGRADES = {
    "h2c": b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\nConnection: Upgrade, HTTP2-Settings\r\n",
    "an unknown protocol": b"Connection: upgrade\r\nUpgrade: nonsense\r\n",
    "a list of protocols": b"Connection: upgrade\r\nUpgrade: websocket, h2c\r\n",
    "two headers": b"Connection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n",
    "a WebSocket with a body": b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
}
UPGRADES["close"] = UPGRADES["h2c"] + b"Connection: close\r\n"
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize("upgrade", UPGRADES)
@pytest.mark.parametrize("kind", MALFORMED)
async def test_an_ambiguous_request_is_400(served, kind, upgrade):
    """And closes the connection: nothing after it is read as a request."""
    request = MALFORMED[kind]
    for malformed in (request, request.replace(b"Connection: close\r\n", UPGRADES[upgrade], 1)):
        assert_refused(await served.send(malformed + LIVEZ + LAST))


def assert_refused(response: bytes) -> None:
    head, _, body = response.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 "), response
    assert response.count(b"HTTP/1.1") == 2  # the status line, and the message
    assert b"connection: close" in head.lower()
    assert json.loads(body)["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_an_ambiguous_request_is_refused_after_the_responses_to_earlier_requests(served):
    response = await served.send(LIVEZ + b"\r\n" + HEAD + LENGTH + LENGTH + LAST + BODY)
    first, _, second = response.partition(b"ok\n")
    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert_refused(second)


@pytest.mark.parametrize("upgrade", UPGRADES)
@pytest.mark.parametrize("framing", ["length", "chunks", "pieces"])
async def test_the_body_of_a_request_with_another_upgrade_is_read(served, upgrade, framing):
    """It is never taken for the next request, which follows and is served."""
    framed = LENGTH + b"\r\n" + BODY if framing != "chunks" else CHUNKED + b"\r\n" + CHUNK
    request = HEAD + UPGRADES[upgrade] + framed + LIVEZ + LAST
    pieces = [request] if framing != "pieces" else [request[i : i + 7] for i in range(0, len(request), 7)]
    response = await served.send(*pieces)
    assert response.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'\r\n\r\n{"data":{"__typename":"Query"}' in response
    if upgrade == "close":
        assert response.count(b"HTTP/1.1 200 OK") == 1
        return
    assert response.count(b"HTTP/1.1 200 OK") == 2
    assert response.endswith(b"\r\n\r\nok\n")


@pytest.mark.parametrize("upgrade", UPGRADES)
async def test_a_body_is_not_the_next_request(served, upgrade):
    smuggled = LIVEZ + b"\r\n"
    length = b"Content-Length: %d\r\n\r\n" % len(smuggled)
    response = await served.send(HEAD + UPGRADES[upgrade] + length + smuggled + LIVEZ + LAST)
    assert response.startswith(b"HTTP/1.1 400 Bad Request\r\n")  # not JSON
    assert response.count(b"\r\n\r\nok\n") == (upgrade != "close")


async def test_many_requests_with_an_upgrade_in_one_packet_are_served(served):
    count = 2000
    request = LIVEZ + UPGRADES["h2c"] + b"\r\n"
    response = await served.send(request * count + LIVEZ + LAST)
    assert response.count(b"HTTP/1.1 200 OK") == count + 1


@pytest.mark.parametrize("body", [LENGTH + LAST + BODY, CHUNKED + LAST + CHUNK])
async def test_an_unambiguous_request_is_served(served, body):
    response = await served.send(HEAD + body)
    assert response.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'\r\n\r\n{"data":{"__typename":"Query"}' in response


async def test_http_1_0_needs_no_host(served):
    assert (await served.send(b"GET /livez HTTP/1.0\r\n\r\n")).endswith(b"\r\n\r\nok\n")


async def test_headers_have_a_maximum_size(served):
    for head in (b"GET /" + b"a" * 70_000, HEAD + b"X-A: b\r\n" * 9_000, HEAD + b"X-A: " + b"b" * 70_000):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(head)
        assert await reader.readline() == b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
        writer.close()
    long_query = quote("{ __typename }" + " " * 16_000)
    assert b"200 OK" in await served.send(
        b"GET /graphql?query=%s HTTP/1.1\r\nHost: x\r\n" % long_query.encode() + LAST
    )


# Trailers

SIGNED_IN = b'{"query": "{ viewer { role } }"}'
LAST_CHUNK = b"%x\r\n%s\r\n0\r\n" % (len(SIGNED_IN), SIGNED_IN)


async def test_trailers_are_not_headers(served):
    """Neither if they arrive with the headers, nor after them."""
    trailers = f"Authorization: {authorization()['Authorization']}\r\n\r\n".encode()
    head = HEAD + CHUNKED + b"\r\n"
    for pieces in ([head + LAST_CHUNK + trailers + LIVEZ + LAST], [head, LAST_CHUNK, trailers, LIVEZ + LAST]):
        response = await served.send(*pieces)
        assert b"UNAUTHENTICATED" in response
        assert response.endswith(b"\r\n\r\nok\n")


@pytest.mark.parametrize("trailer", [b"X-A: b\r\n" * 1000, b"X-A: " + b"b" * 8000, b"b" * 8000])
@pytest.mark.parametrize("head", ["application/json", "text/plain"])
async def test_trailers_have_a_maximum_size(served, head, trailer):
    """Whether the body is still being read, or was refused before it."""
    request = HEAD.replace(b"application/json", head.encode()) + CHUNKED + b"\r\n" + LAST_CHUNK
    before = psutil.Process().memory_info().rss
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(request)
    reading, sent = asyncio.create_task(reader.read()), 0
    while not reading.done() and sent < 100_000_000:
        writer.write(trailer)
        await writer.drain()
        await asyncio.sleep(0)
        sent += len(trailer)
    assert sent < 5_000_000
    response = await reading
    writer.close()
    assert response.startswith(b"HTTP/1.1 431 " if head == "application/json" else b"HTTP/1.1 415 ")
    assert response.count(b"HTTP/1.1 ") == 1
    assert psutil.Process().memory_info().rss - before < 50_000_000


# Early refusals

LARGE = 10_000_000
REFUSED = {
    "413": (b"HTTP/1.1 413 ", HEAD + b"Content-Length: %d\r\n" % LARGE),
    "413 of chunks": (b"HTTP/1.1 413 ", HEAD + CHUNKED),
    "405": (b"HTTP/1.1 405 ", HEAD.replace(b"POST", b"PUT") + b"Content-Length: %d\r\n" % LARGE),
    "404": (b"HTTP/1.1 404 ", HEAD.replace(b"graphql", b"nothing") + b"Content-Length: %d\r\n" % LARGE),
    "415": (b"HTTP/1.1 415 ", HEAD.replace(b"json", b"xml") + b"Content-Length: %d\r\n" % LARGE),
    "400": (b"HTTP/1.1 400 ", HEAD + LENGTH + b"Content-Length: %d\r\n" % LARGE),
    "431": (b"HTTP/1.1 431 ", HEAD + b"X-A: %b\r\n" % (b"b" * LARGE)),
}


def send_all_before_reading(port: int, request: bytes) -> bytes:
    """As most HTTP clients do: blocks. Raises ConnectionError if the server resets the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        for start in range(0, len(request), 64 * 1024):
            client.sendall(request[start : start + 64 * 1024])
        return client.makefile("rb").read()


@pytest.mark.parametrize("kind", REFUSED)
async def test_a_client_that_sends_all_before_it_reads_gets_the_refusal(served, kind):
    status_line, head = REFUSED[kind]
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (LARGE, b" " * LARGE) if CHUNKED in head else b" " * LARGE
    for _ in range(5):
        response = await asyncio.to_thread(send_all_before_reading, served.port, head + LAST + body)
        assert response.startswith(status_line)
        assert b"\r\nconnection: close\r\n" in response


async def keep_sending(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def test_a_client_that_never_closes_is_disconnected(short_timeout):
    head = HEAD + b"Content-Length: %d\r\n" % LARGE + LAST
    reader, writer = await asyncio.open_connection("127.0.0.1", short_timeout.port)
    writer.write(head)
    assert (await reader.read()).startswith(b"HTTP/1.1 413 ")
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(keep_sending(writer), PATIENCE_S)
    writer.close()


@pytest.mark.parametrize("head", [HEAD, HEAD.replace(b"json", b"xml")])
async def test_a_refusal_replaces_100_continue(served, head):
    """And closes, since the server cannot know whether the body follows."""
    length = LARGE if head == HEAD else len(BODY)
    response = await served.send(head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % length)
    assert response.startswith((b"HTTP/1.1 413 ", b"HTTP/1.1 415 "))
    assert b"\r\nconnection: close\r\n" in response


async def test_an_accepted_body_continues_and_keeps_the_connection(served):
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(HEAD + b"Expect: 100-continue\r\n" + LENGTH + b"\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(BODY + LIVEZ + LAST)
    response = await asyncio.wait_for(reader.read(), PATIENCE_S)
    writer.close()
    assert response.startswith(b"HTTP/1.1 200 OK\r\n")
    assert response.endswith(b"\r\n\r\nok\n")


async def test_413_is_readable_while_the_body_is_still_sent(served):
    """The rest of the body is not taken for a request, so that the connection can be reused."""
    for body in (
        b"Content-Length: 2520000\r\n\r\n" + LAST * (120_000),
        CHUNKED + b"\r\n2673c0\r\n" + LAST * (120_000) + b"\r\n0\r\n\r\n",
    ):
        response = await served.send(HEAD + body + b"GET /livez HTTP/1.1\r\nHost: x\r\n" + LAST)
        assert response.startswith(b"HTTP/1.1 413 ")
        assert response.count(b"HTTP/1.1") == 2
        assert response.endswith(b"\r\n\r\nok\n")
