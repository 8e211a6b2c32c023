"""Signing in without a password, in development: the pages choose whom to be, and get a token."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.config import is_loopback
from app.domain import values
from app.domain.errors import InvalidInput
from app.domain.model import EngineerId, Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.middleware import Middleware
    from starlette.requests import Request

    from app.http.auth.tokens import DevelopmentTokens

_TTL_S = int(timedelta(hours=12).total_seconds())


def route(tokens: DevelopmentTokens, *, browser_middleware: Sequence[Middleware]) -> Route:
    """POST /dev/token: {role, engineerId} becomes {accessToken, expiresIn}, for this machine's own pages."""

    async def sign_in(request: Request) -> Response:
        if not _is_at_home(request):
            return _refused(
                403, "Only this machine signs in without a password. Elsewhere: python -m app token."
            )
        if request.headers.get("content-type") != "application/json":
            return _refused(415, "Send application/json.")
        try:
            role, engineer_id = _whom(await request.json())
        except (ValueError, InvalidInput) as error:
            return _refused(400, str(error))
        token = tokens.sign(role, engineer_id, ttl_s=_TTL_S)
        return JSONResponse({"accessToken": token, "expiresIn": _TTL_S})

    return Route("/dev/token", sign_in, methods=["POST"], middleware=browser_middleware)


def _is_at_home(request: Request) -> bool:
    """Nobody on the network, no page of another site, and no name of another site that leads here."""
    try:
        # Not request.url: for a name that it finds odd, that tells the server's own address.
        called = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return False
    return (
        request.client is not None
        and is_loopback(request.client.host)
        and is_loopback(called)
        and request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
    )


def _whom(body: object) -> tuple[Role, EngineerId | None]:
    """Raises ValueError or InvalidInput."""
    if not isinstance(body, dict):
        raise ValueError("Send an object with a role.")  # noqa: TRY004 - it is the client's mistake
    role, engineer = Role(str(body.get("role"))), body.get("engineerId")
    if (role is Role.ENGINEER) != (engineer is not None):
        raise ValueError("engineerId goes with the role engineer, and the other way round.")
    return role, None if engineer is None else values.engineer_id("engineerId", engineer)


def _refused(status: int, message: str) -> Response:
    return JSONResponse({"message": message}, status_code=status)
