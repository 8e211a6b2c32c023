"""Counts, logs and traces each HTTP request."""

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
"""Opens a span from the log fields, which are complete when it closes, and the request headers."""

_PROBES = frozenset({"/livez", "/readyz", "/metrics"})
_LABELLED_PATHS = _PROBES | {"/graphql"}
_MAX_PATH = 200
_FIRST_ERROR_STATUS = 400
_CLIENT_DISCONNECTED = 499
"""nginx's status for a client that disconnected before the response; never sent."""


def no_span(_: dict[str, Any], __: list[tuple[bytes, bytes]]) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True, slots=True)
class AccessLogMiddleware:
    """Logs no query string, header, body or address: they may contain secrets or personal data."""

    app: ASGIApp
    metrics: Metrics
    span: Span = no_span

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        log_fields: dict[str, Any] = {"method": scope["method"], "path": scope["path"][:_MAX_PATH]}
        scope["state"]["log_fields"] = log_fields
        status = _CLIENT_DISCONNECTED

        async def send_and_keep_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = time.perf_counter()
        span = no_span if scope["path"] in _PROBES else self.span
        with span(log_fields, scope["headers"]):
            try:
                await self.app(scope, receive, send_and_keep_status)
            except Exception:
                status = 500
                raise
            finally:
                log_fields["status"] = status
                self._record(scope["path"], log_fields, time.perf_counter() - started)

    def _record(self, path: str, log_fields: dict[str, Any], duration_s: float) -> None:
        status = log_fields["status"]
        self.metrics.responses(path if path in _LABELLED_PATHS else "other", status).inc()
        if path in _PROBES and status < _FIRST_ERROR_STATUS:
            return
        level = max(level_of(log_fields.get("code")), _level_of_status(status))
        log.log(level, "request", **log_fields, ms=round(duration_s * 1000, 1))


def _level_of_status(status: int) -> int:
    if status in (503, 504):
        return logging.WARNING
    return logging.ERROR if status >= 500 else logging.INFO  # noqa: PLR2004 - server errors


def log_fields(scope: Scope) -> dict[str, Any]:
    """The log fields of an HTTP request; new ones for each operation of a WebSocket."""
    fields: dict[str, Any] = scope["state"]["log_fields"] if scope["type"] == "http" else {}
    return fields
