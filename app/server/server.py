"""How one process serves the application: HTTP/1.1 and WebSocket."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import uvicorn

from app.server.graceful_shutdown import Server
from app.server.request_timeout import RequestTimeoutProtocol
from app.server.write_timeout import WebSocketProtocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from starlette.applications import Starlette
    from starlette.types import ASGIApp

    from app.server.write_timeout import WriteTimeoutMixin

MAX_RESPONSE_S = 20
"""How long the server waits at its end for answers that are under way."""
MAX_MESSAGE_BYTES = 256 * 1024
"""Of a WebSocket; a longer one closes it with 1009."""


def config(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    http: type[RequestTimeoutProtocol] = RequestTimeoutProtocol,
    ws: type[WriteTimeoutMixin] = WebSocketProtocol,
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
        log_config=None,  # as everything else: app/observability/logs.py
        log_level=log_level,
        access_log=False,  # app/http/middleware/access_log.py writes it
        server_header=False,
        timeout_graceful_shutdown=MAX_RESPONSE_S,
    )


def run(
    app: Starlette,
    host: str,
    port: int,
    *,
    drain_s: float = 0,
    sockets: Sequence[socket.socket] | None = None,
) -> None:
    """Serve until a signal comes, and `drain_s` longer; then exit with 0. `app.state.stopping` is told.

    `sockets` are bound already, and take the place of `host` and `port`.
    """
    # uvicorn raises the signal once more when it is done, for whoever was there before it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    Server(config(app, host, port), app.state.shutdown_state, drain_s=drain_s).run(
        None if sockets is None else list(sockets)
    )
