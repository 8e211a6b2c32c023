"""How the application is served: one process, HTTP/1.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvicorn

from app.web.deadline import DeadlineProtocol

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def run(app: ASGIApp, host: str, port: int) -> None:
    """Serve until a signal comes."""
    uvicorn.run(app, host=host, port=port, http=DeadlineProtocol, log_level="warning", server_header=False)
