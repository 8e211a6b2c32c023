"""/metrics, for Prometheus."""

from __future__ import annotations

import asyncio
import hmac
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.http.auth.tokens import InvalidToken, bearer
from app.http.errors import errors_body
from app.observability.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from starlette.requests import Request

    from app.observability.metrics import Metrics


def routes(metrics: Metrics, token: str, *, production: bool) -> list[BaseRoute]:
    """For who has the `token`. Without one everybody may ask in development, and nobody in production."""
    if production and not token:
        return []

    async def scrape(request: Request) -> Response:
        if token and not _has(token, request):
            body = errors_body("UNAUTHENTICATED", "Send METRICS_TOKEN as a bearer token.")
            return JSONResponse(body, status_code=401, headers={"WWW-Authenticate": "Bearer"})
        # It takes some milliseconds, in which others are served.
        text = await asyncio.to_thread(metrics.text)
        return Response(text, headers={"Content-Type": CONTENT_TYPE})

    return [Route("/metrics", scrape)]


def _has(token: str, request: Request) -> bool:
    try:
        given = bearer(request.headers.get("authorization", ""))
    except InvalidToken:
        return False
    return hmac.compare_digest(given.encode(), token.encode())
