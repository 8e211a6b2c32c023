"""What two servers could read differently is refused, and a request is never taken for two."""

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
    "a length that is a list": HEAD + b"Content-Length: 27, 27\r\n" + LAST + BODY,
    "a length beyond all bounds": HEAD + b"Content-Length: 99999999999999999999999\r\n" + LAST + BODY,
    "a coding after chunked": HEAD + b"Transfer-Encoding: chunked, gzip\r\n" + LAST + CHUNK,
    "a coding that hides": HEAD + b"Transfer-Encoding: xchunked\r\n" + LAST + CHUNK,
    "chunked twice": HEAD + CHUNKED + b"Transfer-Encoding: identity\r\n" + LAST + CHUNK,
    "a chunk of no size": HEAD + CHUNKED + LAST + b"\r\n" + CHUNK,
    "a chunk of bad size": HEAD + CHUNKED + LAST + b"1g\r\n",
    "a chunk of negative size": HEAD + CHUNKED + LAST + b"-1\r\nx\r\n",
    "a chunk longer than it says": HEAD + CHUNKED + LAST + b"1\r\n" + BODY,
    "a chunk beyond all bounds": HEAD + CHUNKED + LAST + b"fffffffffffffffff\r\n",
    "no Host": b"GET /livez HTTP/1.1\r\n" + LAST,
    "two Hosts": b"GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n" + LAST,
    "a space before the colon": b"GET /livez HTTP/1.1\r\nHost : x\r\n" + LAST,
    "a folded header": b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n" + LAST,
    "a NUL in a header": b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: \0\r\n" + LAST,
    "a space in the URL": b"GET /livez x HTTP/1.1\r\nHost: x\r\n" + LAST,
    "no version": b"GET /livez\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 40,
}


@pytest.mark.parametrize("what", MALFORMED)
async def test_what_can_be_read_in_two_ways_is_400(served, what):
    answer = await served.send(MALFORMED[what])
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 "), answer
    assert answer.count(b"HTTP/1.1") == 2  # the answer's, and the one that its message names
    assert b"connection: close" in head.lower()
    assert json.loads(body)["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("body", [LENGTH + LAST + BODY, CHUNKED + LAST + CHUNK])
async def test_what_can_be_read_in_one_way_is_served(served, body):
    answer = await served.send(HEAD + body)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'\r\n\r\n{"data":{"__typename":"Query"}' in answer


async def test_http_1_0_needs_no_host(served):
    assert (await served.send(b"GET /livez HTTP/1.0\r\n\r\n")).endswith(b"\r\n\r\nok\n")


async def test_headers_have_a_cap_too(served):
    for head in (b"GET /" + b"a" * 70_000, HEAD + b"X-A: b\r\n" * 9_000, HEAD + b"X-A: " + b"b" * 70_000):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(head)
        assert await reader.readline() == b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
        writer.close()
    long = quote("{ __typename }" + " " * 16_000)
    assert b"200 OK" in await served.send(
        b"GET /graphql?query=%s HTTP/1.1\r\nHost: x\r\n" % long.encode() + LAST
    )


async def test_a_client_reads_why_its_body_was_too_large_though_it_sends_on(served):
    """And may then ask something else: what it still had to send is not taken for a request."""
    for body in (
        b"Content-Length: 2520000\r\n\r\n" + LAST * (120_000),
        CHUNKED + b"\r\n2673c0\r\n" + LAST * (120_000) + b"\r\n0\r\n\r\n",
    ):
        answer = await served.send(HEAD + body + b"GET /livez HTTP/1.1\r\nHost: x\r\n" + LAST)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert answer.count(b"HTTP/1.1") == 2
        assert answer.endswith(b"\r\n\r\nok\n")
