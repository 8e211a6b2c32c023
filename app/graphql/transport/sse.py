"""GraphQL over server-sent events, in the distinct connections mode of graphql-sse's PROTOCOL.md."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

import orjson

from app.graphql.transport.response import response_body

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from graphql import ExecutionResult

HEARTBEAT_S = 12.0
"""Proxies close connections that are silent for longer, often after 30 or 60 s."""


async def encode_events(results: AsyncGenerator[ExecutionResult, None]) -> AsyncIterator[bytes]:
    """Yield a `next` event per result, `complete` at the end, and a comment every HEARTBEAT_S in between."""
    async with aclosing(results):
        pending = asyncio.ensure_future(anext(results))
        try:
            while True:
                done, _ = await asyncio.wait([pending], timeout=HEARTBEAT_S)
                if not done:
                    yield b":\n\n"
                    continue
                try:
                    result = pending.result()
                except StopAsyncIteration:
                    break
                yield b"event: next\ndata: %b\n\n" % orjson.dumps(response_body(result))
                pending = asyncio.ensure_future(anext(results))
        finally:
            pending.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await pending
    yield b"event: complete\ndata:\n\n"
