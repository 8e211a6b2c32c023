"""Gives every request an id: in its answer, in the lines of the log, and in the events of what it changes."""

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
_NEW_AT_ONCE = 256
# What is written to logs and tables, and read by people who search for it.
_SANE = re.compile(r"[A-Za-z0-9._:+/=@-]{1,128}")


def _new_ids() -> Iterator[str]:
    """To ask the system for each of them takes longer than all else that is done about an id."""
    while True:
        digits = token_hex(16 * _NEW_AT_ONCE)
        yield from (digits[at : at + 32] for at in range(0, len(digits), 32))


_new_id = _new_ids()


@dataclass(frozen=True, slots=True)
class RequestIdMiddleware:
    """The id that a proxy or a client has given, when it is sane, else a new one."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        given = header(scope, _NAME)
        request_id = given if given and _SANE.fullmatch(given) else next(_new_id)
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
