"""Waits for what gives no signal: another process, the database, a counter."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

TIMEOUT_S = 60
_INTERVAL_S = 0.02


async def until(condition: Callable[[], Any]) -> None:
    """Poll until the condition, a function or a coroutine function, returns a true value."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            value = condition()
            if await value if inspect.isawaitable(value) else value:
                return
            await asyncio.sleep(_INTERVAL_S)


def wait_until(condition: Callable[[], Any], message: str) -> None:
    """As `until`, for tests without an event loop."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, message
        time.sleep(_INTERVAL_S)
