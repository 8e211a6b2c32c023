"""What stands before the routes: headers for every answer, whose hosts and origins are served, and faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from app.web import request_id
from app.web.request_id import HEADER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.types import Message, Receive, Scope, Send

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]


@dataclass(frozen=True, slots=True)
class SafeHeaders:
    """Adds to every answer what it does not say itself: a page may load scripts, a file may be kept."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name for name, _ in message["headers"]}
                missing = [header for header in _RAW_HEADERS if header[0] not in said]
                message["headers"] = [*message["headers"], *missing]
            await send(message)

        await self.app(scope, receive, send_with_headers)


def doors(allowed_hosts: Sequence[str], cors_origins: Sequence[str]) -> list[Middleware]:
    """For the routes that people's browsers reach. Health is not: probes ask it by address."""
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=allowed_hosts, www_redirect=False)
    if not cors_origins:
        return [hosts]
    origins = Middleware(
        CORSMiddleware,
        allow_origins=cors_origins,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Idempotency-Key", HEADER],
        expose_headers=[HEADER],
    )
    return [hosts, origins]


async def fault(request: Request, _: Exception) -> Response:
    """What nothing else has caught; the server logs it. It is answered outside of all middleware."""
    error = {"message": "Something went wrong on our side.", "extensions": {"code": "INTERNAL"}}
    headers = {**_HEADERS, HEADER: request_id.of(request)}
    return JSONResponse({"errors": [error]}, status_code=500, headers=headers)
