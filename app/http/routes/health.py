"""Liveness and readiness probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import Scope


def routes(why_not_ready: Callable[[Scope], Awaitable[str | None]]) -> list[BaseRoute]:
    """/livez responds while the event loop runs; /readyz responds with 503 and the reason if not ready."""

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        reason = await why_not_ready(request.scope)
        return JSONResponse(
            {"ready": reason is None, "reason": reason}, status_code=200 if reason is None else 503
        )

    return [Route("/livez", livez), Route("/readyz", readyz)]
