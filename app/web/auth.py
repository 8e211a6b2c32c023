"""Who asks: a bearer token becomes an actor.

An Authenticator is the seam: development signs its own tokens, and another may ask an identity provider.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import jwt
from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    AuthenticationError,
    BaseUser,
)
from starlette.responses import JSONResponse, Response

from app.domain import values
from app.domain.errors import InvalidInput
from app.domain.model import Actor, EngineerId, Role

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

_ISSUER = "baton-development"
_REQUIRED = ["exp", "iat", "iss", "sub"]


class InvalidToken(Exception):
    """The token is not ours, is expired, or lacks a claim."""


class Authenticator(Protocol):
    async def actor_of(self, token: str) -> Actor:
        """Raises InvalidToken."""


@dataclass(frozen=True, slots=True)
class DevelopmentTokens:
    """Signs and checks tokens with a secret of our own (HS256)."""

    secret: str

    def sign(self, role: Role, engineer_id: EngineerId | None, *, ttl_s: int) -> str:
        now = datetime.now(UTC)
        subject = f"{role}@development" if engineer_id is None else f"engineer:{engineer_id}"
        claims = {
            "iss": _ISSUER,
            "sub": subject,
            "role": role,
            "engineer_id": None if engineer_id is None else str(engineer_id),
            "iat": now,
            "exp": now + timedelta(seconds=ttl_s),
        }
        return jwt.encode(claims, self.secret, algorithm="HS256")

    async def actor_of(self, token: str) -> Actor:
        try:
            claims = jwt.decode(
                token, self.secret, algorithms=["HS256"], issuer=_ISSUER, options={"require": _REQUIRED}
            )
            engineer_id = claims.get("engineer_id")
            return Actor(
                subject=claims["sub"],
                role=Role(str(claims.get("role"))),
                engineer_id=None if engineer_id is None else values.engineer_id("engineer_id", engineer_id),
            )
        except (jwt.InvalidTokenError, ValueError, InvalidInput) as error:
            raise InvalidToken from error


@dataclass(frozen=True, slots=True)
class SignedIn(BaseUser):
    actor: Actor

    @property
    def is_authenticated(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class BearerBackend(AuthenticationBackend):
    """Reads the Authorization header. Without one, nobody is signed in; with a wrong one, 401."""

    authenticator: Authenticator

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        header = conn.headers.get("authorization")
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise AuthenticationError
        try:
            return AuthCredentials(), SignedIn(await self.authenticator.actor_of(token.strip()))
        except InvalidToken:
            raise AuthenticationError from None


def refuse_token(_: HTTPConnection, __: AuthenticationError) -> Response:
    """One answer for every wrong token: what is wrong with it helps only who forged it (RFC 6750, 3.1)."""
    error = {
        "message": "The token is invalid or has expired; sign in again.",
        "extensions": {"code": "UNAUTHENTICATED"},
    }
    return JSONResponse(
        {"errors": [error]}, status_code=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}
    )
