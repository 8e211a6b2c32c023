"""GraphQL over server-sent events, in the distinct connections mode of graphql-sse's PROTOCOL.md."""

from __future__ import annotations

import asyncio
from asyncio import FIRST_COMPLETED
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

import orjson

from app.graphql.transport.response import response_body
from app.http.errors import errors_body

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from graphql import ExecutionResult

    from app.http.auth.tokens import TokenEnd

HEARTBEAT_S = 12.0
"""Proxies close connections that are silent for longer, often after 30 or 60 s."""


async def encode_events(
    results: AsyncGenerator[ExecutionResult, None], token_end: TokenEnd | None = None
) -> AsyncIterator[bytes]:
    """Yield a `next` event per result, `complete` at the end, and a comment every HEARTBEAT_S in between.

    When `token_end` returns, its reason is the last result.
    """
    async with aclosing(results):
        pending = asyncio.ensure_future(anext(results))
        ends = [] if token_end is None else [asyncio.create_task(token_end())]
        try:
            while True:
                done, _ = await asyncio.wait(
                    [pending, *ends], timeout=HEARTBEAT_S, return_when=FIRST_COMPLETED
                )
                if done.intersection(ends):
                    yield _next_event(errors_body("UNAUTHENTICATED", f"{ends[0].result()}; sign in again."))
                    break
                if not done:
                    yield b":\n\n"
                    continue
                try:
                    result = pending.result()
                except StopAsyncIteration:
                    break
                yield _next_event(response_body(result))
                pending = asyncio.ensure_future(anext(results))
        finally:
            for task in (pending, *ends):
                task.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await pending
    yield b"event: complete\ndata:\n\n"


def _next_event(body: dict[str, Any]) -> bytes:
    return b"event: next\ndata: %b\n\n" % orjson.dumps(body)
