"""Serves the application in one process: HTTP/1.1 and WebSocket."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import uvicorn

from app.server.graceful_shutdown import Server
from app.server.request_timeout import RequestTimeoutProtocol
from app.server.websocket_protocol import WebSocketProtocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from starlette.applications import Starlette
    from starlette.types import ASGIApp

    from app.server.write_timeout import WriteTimeoutMixin

MAX_RESPONSE_S = 20
"""How long a stopping server waits for responses in progress."""
MAX_MESSAGE_BYTES = 256 * 1024
"""Of a WebSocket message; a longer one closes the connection with 1009."""


def config(
    app: ASGIApp,
    host: str = "",
    port: int = 0,
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
        ws=ws,  # type: ignore[arg-type] # uvicorn accepts a class
        ws_max_size=MAX_MESSAGE_BYTES,
        # A message of 256 KiB could decompress to 250 MiB, and each connection would need two windows.
        ws_per_message_deflate=False,
        log_config=None,  # app/observability/logs.py configures it
        log_level=log_level,
        access_log=False,  # app/http/middleware/access_log.py writes it
        server_header=False,
        timeout_graceful_shutdown=MAX_RESPONSE_S,
    )


def run(
    app: Starlette,
    sockets: Sequence[socket.socket],
    *,
    drain_s: float = 0,
    on_start: Callable[[], object] = lambda: None,
) -> None:
    """Serve on sockets that are bound until a signal, and for `drain_s` after it; then exit with 0.

    `on_start` is called when the server accepts requests.
    """
    # uvicorn raises the signal again when it is done, for the handlers installed before.
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: sys.exit(0))
    Server(config(app), app.state.shutdown_state, drain_s=drain_s, on_start=on_start).run(list(sockets))
