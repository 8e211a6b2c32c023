"""Sign-in without a password in development: the pages choose a role and get a token."""

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
    from collections.abc import Collection

    from starlette.requests import Request

    from app.http.auth.tokens import DevelopmentTokens

_TTL_S = int(timedelta(hours=12).total_seconds())


def route(tokens: DevelopmentTokens, addresses: Collection[str] = ()) -> Route:
    """POST /dev/token takes {role, engineerId} and returns {accessToken, expiresIn}.

    Only for pages of this machine, and of clients with one of these addresses, such as a container's gateway.
    """

    async def sign_in(request: Request) -> Response:
        if not _is_local(request, addresses):
            return _error(
                403,
                "Sign-in without a password works only on this machine and for AUTH_DEV_ADDRESSES. Elsewhere,"
                " use python -m app token.",
            )
        if request.headers.get("content-type") != "application/json":
            return _error(415, "Send application/json.")
        try:
            role, engineer_id = _requested_identity(await request.json())
        except (ValueError, InvalidInput) as error:
            return _error(400, str(error))
        token = tokens.sign(role, engineer_id, ttl_s=_TTL_S)
        return JSONResponse({"accessToken": token, "expiresIn": _TTL_S})

    return Route("/dev/token", sign_in, methods=["POST"])


def _is_local(request: Request, addresses: Collection[str]) -> bool:
    """Whether a page of this server on this machine sent it. Checks the host against DNS rebinding."""
    try:
        # Not request.url: it replaces an invalid Host header by the server's own address.
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return False
    return (
        request.client is not None
        and (is_loopback(request.client.host) or request.client.host in addresses)
        and is_loopback(host)
        and request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
    )


def _requested_identity(body: object) -> tuple[Role, EngineerId | None]:
    """Raises ValueError or InvalidInput."""
    if not isinstance(body, dict):
        raise ValueError("Send an object with a role.")  # noqa: TRY004 - invalid input
    role, engineer = Role(str(body.get("role"))), body.get("engineerId")
    if (role is Role.ENGINEER) != (engineer is not None):
        raise ValueError("engineerId is required for the role engineer, and allowed for no other.")
    return role, None if engineer is None else values.engineer_id("engineerId", engineer)


def _error(status: int, message: str) -> Response:
    return JSONResponse({"message": message}, status_code=status)
