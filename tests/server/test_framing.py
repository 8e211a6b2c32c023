"""Request framing: ambiguous requests are refused, against request smuggling."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import quote

import pytest

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
    "no version": b"GET /livez\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 40,
}


@pytest.mark.parametrize("kind", MALFORMED)
async def test_an_ambiguous_request_is_400(served, kind):
    response = await served.send(MALFORMED[kind])
    head, _, body = response.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 "), response
    assert response.count(b"HTTP/1.1") == 2  # the status line, and the message
    assert b"connection: close" in head.lower()
    assert json.loads(body)["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


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
