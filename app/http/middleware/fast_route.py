"""The way to the path that nearly everybody asks, without a look at all routes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class FastRouteMiddleware:
    """For HTTP at exactly this path; the route is still there for who comes by another way."""

    app: ASGIApp
    path: str
    to: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        straight = scope["type"] == "http" and scope["path"] == self.path and not scope.get("root_path")
        await (self.to if straight else self.app)(scope, receive, send)
