"""Gives every request an id, for its response, its log lines and the audit of its changes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING

from starlette.types import ASGIApp
from structlog.contextvars import bind_contextvars, reset_contextvars

from app.http.headers import header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Message, Receive, Scope, Send

HEADER = "X-Request-Id"
_NAME = HEADER.lower().encode()
_IDS_PER_READ = 256
# Safe in logs and tables, and readable.
_VALID = re.compile(r"[A-Za-z0-9._:+/=@-]{1,128}")


def _new_ids() -> Iterator[str]:
    """Reads random bytes for many ids at once: a system call for each would dominate the cost."""
    while True:
        digits = token_hex(16 * _IDS_PER_READ)
        yield from (digits[start : start + 32] for start in range(0, len(digits), 32))


_new_id = _new_ids()


@dataclass(frozen=True, slots=True)
class RequestIdMiddleware:
    """Uses the id of the proxy or client if it is valid, or a new one."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        client_id = header(scope, _NAME)
        request_id = client_id if client_id and _VALID.fullmatch(client_id) else next(_new_id)
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (_NAME, request_id.encode())]
            await send(message)

        bound = bind_contextvars(request_id=request_id)
        try:
            await self.app(scope, receive, send_with_id)
        finally:
            reset_contextvars(**bound)


def of(scope: Scope) -> str:
    return str(scope["state"]["request_id"])
