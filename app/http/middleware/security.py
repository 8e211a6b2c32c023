"""What stands before the routes: headers, hosts and origins, and the shape of what is refused there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from app.http.errors import errors_body
from app.http.middleware import read_after_write, request_id
from app.http.middleware.request_id import HEADER

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
_SMALLEST_REFUSAL = 400
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]


@dataclass(frozen=True, slots=True)
class SecurityHeadersMiddleware:
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


@dataclass(frozen=True, slots=True)
class JsonErrorsMiddleware:
    """What Starlette refuses by itself, in plain text, is refused as everything else is."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        plain: Message | None = None

        async def send_json(message: Message) -> None:
            nonlocal plain
            if message["type"] == "http.response.start" and _is_plain_refusal(message):
                plain = message
            elif plain is None:
                await send(message)
            else:
                await _as_json(plain, message["body"].decode())(scope, receive, send)

        await self.app(scope, receive, send_json)


def _is_plain_refusal(start: Message) -> bool:
    if start["status"] < _SMALLEST_REFUSAL:
        return False
    return Headers(raw=start["headers"]).get("Content-Type", "").startswith("text/plain")


def _as_json(start: Message, text: str) -> Response:
    headers = MutableHeaders(raw=start["headers"])
    del headers["Content-Type"], headers["Content-Length"]
    status = start["status"]
    code, message = {
        404: ("NOT_FOUND", "There is nothing at this path; the API is at /graphql."),
        405: ("METHOD_NOT_ALLOWED", f"This path is asked by {headers.get('Allow')}."),
    }.get(status, ("BAD_USER_INPUT", f"{text}."))
    return JSONResponse(errors_body(code, message), status_code=status, headers=headers)


def browser_middleware(allowed_hosts: Sequence[str], cors_origins: Sequence[str]) -> list[Middleware]:
    """For the routes that people's browsers reach. Health is not: probes ask it by address."""
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=allowed_hosts, www_redirect=False)
    if not cors_origins:
        return [hosts]
    origins = Middleware(
        CORSMiddleware,
        allow_origins=cors_origins,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Idempotency-Key", HEADER, read_after_write.HEADER],
        expose_headers=[HEADER, read_after_write.HEADER],
    )
    return [hosts, origins]


async def fault(request: Request, _: Exception) -> Response:
    """What nothing else has caught; the server logs it. It is answered outside of all middleware."""
    body = errors_body("INTERNAL", "Something went wrong on our side.")
    headers = {**_HEADERS, HEADER: request_id.of(request.scope)}
    return JSONResponse(body, status_code=500, headers=headers)
