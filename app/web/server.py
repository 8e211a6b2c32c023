"""How the application is served: one process, HTTP/1.1 and WebSocket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvicorn

from app.web.deadline import DeadlineProtocol
from app.web.slow_readers import SocketProtocol

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from app.web.slow_readers import GivesUpOnSlowReaders

MAX_MESSAGE_BYTES = 256 * 1024
"""Of a WebSocket; a longer one closes it with 1009."""


def config(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    http: type[DeadlineProtocol] = DeadlineProtocol,
    ws: type[GivesUpOnSlowReaders] = SocketProtocol,
    log_level: str = "warning",
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=http,
        ws=ws,  # type: ignore[arg-type] # a class will do
        ws_max_size=MAX_MESSAGE_BYTES,
        # A compressed message of 256 KiB may be one of 250 MiB, and each connection keeps two windows.
        ws_per_message_deflate=False,
        log_level=log_level,
        server_header=False,
    )


def run(app: ASGIApp, host: str, port: int) -> None:
    """Serve until a signal comes."""
    uvicorn.Server(config(app, host, port)).run()
