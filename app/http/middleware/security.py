"""Security headers, allowed hosts and origins, and JSON bodies for errors outside of GraphQL."""

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
    from collections.abc import Collection, Sequence

    from starlette.requests import Request
    from starlette.types import Message, Receive, Scope, Send

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_FIRST_ERROR_STATUS = 400
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]


@dataclass(frozen=True, slots=True)
class SecurityHeadersMiddleware:
    """Adds each header that the response does not set itself: pages load scripts, assets are cached."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                missing = [header for header in _RAW_HEADERS if header[0] not in present]
                message["headers"] = [*message["headers"], *missing]
            await send(message)

        await self.app(scope, receive, send_with_headers)


@dataclass(frozen=True, slots=True)
class JsonErrorsMiddleware:
    """Turns Starlette's plain-text errors into JSON errors."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error_start: Message | None = None

        async def send_json(message: Message) -> None:
            nonlocal error_start
            if message["type"] == "http.response.start" and _is_plain_text_error(message):
                error_start = message
            elif error_start is None:
                await send(message)
            else:
                await _json_error(error_start, message["body"].decode())(scope, receive, send)

        await self.app(scope, receive, send_json)


def _is_plain_text_error(start: Message) -> bool:
    if start["status"] < _FIRST_ERROR_STATUS:
        return False
    return Headers(raw=start["headers"]).get("Content-Type", "").startswith("text/plain")


def _json_error(start: Message, text: str) -> Response:
    headers = MutableHeaders(raw=start["headers"])
    del headers["Content-Type"], headers["Content-Length"]
    status = start["status"]
    code, message = {
        404: ("NOT_FOUND", "There is nothing at this path; the API is at /graphql."),
        405: ("METHOD_NOT_ALLOWED", f"This path allows only the methods {headers.get('Allow')}."),
    }.get(status, ("BAD_USER_INPUT", f"{text}."))
    return JSONResponse(errors_body(code, message), status_code=status, headers=headers)


class AllowedHostsMiddleware:
    """Checks the Host header before any route, except of `exempt` paths, which are called by IP address."""

    def __init__(self, app: ASGIApp, allowed_hosts: Sequence[str], exempt: Collection[str]) -> None:
        self._app = app
        self._checked_app = TrustedHostMiddleware(app, allowed_hosts=allowed_hosts, www_redirect=False)
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_exempt = scope["type"] == "http" and scope["path"] in self._exempt
        await (self._app if is_exempt else self._checked_app)(scope, receive, send)


def cors_middleware(origins: Sequence[str]) -> list[Middleware]:
    """Empty if pages of no other origin may call the API."""
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Idempotency-Key", HEADER, read_after_write.HEADER],
            expose_headers=[HEADER, read_after_write.HEADER],
        )
    ]


async def internal_error(request: Request, _: Exception) -> Response:
    """Respond to an uncaught exception, which uvicorn logs. Runs outside of all middleware."""
    body = errors_body("INTERNAL", "Something went wrong on our side.")
    headers = {**_HEADERS, HEADER: request_id.of(request.scope)}
    return JSONResponse(body, status_code=500, headers=headers)
