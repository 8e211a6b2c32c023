"""Calls the endpoint of /graphql without matching the other routes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class FastRouteMiddleware:
    """For HTTP requests of exactly this path; WebSockets and mounted applications still use the router."""

    app: ASGIApp
    path: str
    endpoint: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_exact = scope["type"] == "http" and scope["path"] == self.path and not scope.get("root_path")
        await (self.endpoint if is_exact else self.app)(scope, receive, send)
