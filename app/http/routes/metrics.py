"""GET /metrics, for Prometheus."""

from __future__ import annotations

import asyncio
import hmac
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.http.auth.tokens import InvalidToken, bearer_token
from app.http.errors import error_response
from app.observability.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from starlette.requests import Request

    from app.observability.metrics import Metrics


def routes(metrics: Metrics, token: str, *, production: bool) -> list[BaseRoute]:
    """Require `token` as a bearer token. If empty: public in development, no /metrics in production."""
    if production and not token:
        return []

    async def scrape(request: Request) -> Response:
        if token and not _is_authorized(request, token):
            message = "Send METRICS_TOKEN as a bearer token."
            return error_response(401, "UNAUTHENTICATED", message, {"WWW-Authenticate": "Bearer"})
        # Takes some milliseconds, which must not block the event loop.
        text = await asyncio.to_thread(metrics.text)
        return Response(text, headers={"Content-Type": CONTENT_TYPE})

    return [Route("/metrics", scrape)]


def _is_authorized(request: Request, token: str) -> bool:
    try:
        request_token = bearer_token(request.headers.get("authorization", ""))
    except InvalidToken:
        return False
    return hmac.compare_digest(request_token.encode(), token.encode())
