"""Whether the process is alive, and whether it may be given work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import Scope


def routes(why_not_ready: Callable[[Scope], Awaitable[str | None]]) -> list[BaseRoute]:
    """/livez answers while the event loop turns; /readyz asks `why_not_ready`: None when all is well."""

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        reason = await why_not_ready(request.scope)
        return JSONResponse(
            {"ready": reason is None, "reason": reason}, status_code=200 if reason is None else 503
        )

    return [Route("/livez", livez), Route("/readyz", readyz)]
