"""GraphQL over server-sent events, in the distinct connections mode of graphql-sse's PROTOCOL.md."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

import orjson

from app.graphql.transport.response import response_body

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from strawberry.types.execution import ExecutionResult

HEARTBEAT_S = 12.0
"""Proxies close what is silent for longer, often after 30 or 60 s."""


async def encode_events(results: AsyncGenerator[ExecutionResult, None]) -> AsyncIterator[bytes]:
    """`next` for each result, `complete` at the end, and a comment now and then while there is none."""
    async with aclosing(results):
        coming = asyncio.ensure_future(anext(results))
        try:
            while True:
                done, _ = await asyncio.wait([coming], timeout=HEARTBEAT_S)
                if not done:
                    yield b":\n\n"
                    continue
                try:
                    result = coming.result()
                except StopAsyncIteration:
                    break
                yield b"event: next\ndata: %b\n\n" % orjson.dumps(response_body(result))
                coming = asyncio.ensure_future(anext(results))
        finally:
            coming.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await coming
    yield b"event: complete\ndata:\n\n"
