"""Counts each HTTP request, says it to the log in one line, and traces it where that is wanted."""

from __future__ import annotations

import logging
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import structlog
from starlette.types import ASGIApp

from app.observability.logs import level_of
from app.observability.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Message, Receive, Scope, Send

log = structlog.get_logger()

Span: TypeAlias = "Callable[[dict[str, Any], list[tuple[bytes, bytes]]], AbstractContextManager[None]]"
"""Around something of which the facts are known at its end, with the headers by which it came."""

_ASKED_EVERY_FEW_SECONDS = frozenset({"/livez", "/readyz", "/metrics"})
_COUNTED_BY_PATH = _ASKED_EVERY_FEW_SECONDS | {"/graphql"}
_LONGEST_PATH = 200
_SMALLEST_REFUSAL = 400
_CLIENT_LEFT = 499
"""As nginx says it; nobody is answered with this."""


def no_span(_: dict[str, Any], __: list[tuple[bytes, bytes]]) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True, slots=True)
class AccessLogMiddleware:
    """No query string, header, body or address is said: they may hold anything, people's data among it."""

    app: ASGIApp
    metrics: Metrics
    span: Span = no_span

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        log_fields: dict[str, Any] = {"method": scope["method"], "path": scope["path"][:_LONGEST_PATH]}
        scope["state"]["facts"] = log_fields
        status = _CLIENT_LEFT

        async def send_and_see(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        span = no_span if scope["path"] in _ASKED_EVERY_FEW_SECONDS else self.span
        with span(log_fields, scope["headers"]):
            try:
                await self.app(scope, receive, send_and_see)
            except Exception:
                status = 500
                raise
            finally:
                log_fields["status"] = status
                self._tell(scope["path"], log_fields, time.perf_counter() - began)

    def _tell(self, path: str, log_fields: dict[str, Any], took_s: float) -> None:
        status = log_fields["status"]
        self.metrics.responses(path if path in _COUNTED_BY_PATH else "other", status).inc()
        if path in _ASKED_EVERY_FEW_SECONDS and status < _SMALLEST_REFUSAL:
            return
        level = max(level_of(log_fields.get("code")), _level_of_status(status))
        log.log(level, "request", **log_fields, ms=round(took_s * 1000, 1))


def _level_of_status(status: int) -> int:
    if status in (503, 504):
        return logging.WARNING
    return logging.ERROR if status >= 500 else logging.INFO  # noqa: PLR2004 - the server's faults


def log_fields(scope: Scope) -> dict[str, Any]:
    """What will be told of the request; of a WebSocket, of one of its operations."""
    log_fields: dict[str, Any] = scope["state"]["facts"] if scope["type"] == "http" else {}
    return log_fields
