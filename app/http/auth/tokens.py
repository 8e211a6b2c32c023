"""Who asks: a bearer token becomes an actor.

An Authenticator is the seam: development signs its own tokens, production asks an identity provider.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

import jwt
import structlog
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
from app.http.auth import claims as token_claims
from app.http.auth.jwks import ALGORITHMS, COOLDOWN_S, KeysUnavailable, SigningKeys, UnknownKey
from app.http.errors import errors_body
from app.http.headers import header

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import HTTPConnection

log = structlog.get_logger()

LEEWAY_S = 30
"""How far the provider's clock and ours may differ."""
CACHED_TOKENS = 1024
_MAX_TOKEN = 16 * 1024
_DEVELOPMENT = "baton-development"
_REQUIRED = ["exp", "iat", "iss", "sub"]
_WRONG = (jwt.PyJWTError, UnknownKey, InvalidInput, ValueError, OverflowError, OSError)


class InvalidToken(Exception):
    """The token is not ours, is expired, or lacks a claim."""


@dataclass(frozen=True, slots=True)
class Verified:
    """Whom a token speaks for, until when (`exp`), and its own name (`jti`) where it has one."""

    actor: Actor
    expires_at: datetime
    token_id: str | None

    @property
    def seconds_left(self) -> float:
        return (self.expires_at - datetime.now(UTC)).total_seconds()


class Authenticator(Protocol):
    async def verify(self, token: str) -> Verified:
        """Raises InvalidToken; KeysUnavailable when nobody can tell."""


@dataclass(frozen=True, slots=True)
class DevelopmentTokens:
    """Signs and checks tokens with a secret of our own (HS256)."""

    secret: str

    def sign(self, role: Role, engineer_id: EngineerId | None, *, ttl_s: int) -> str:
        now = datetime.now(UTC)
        subject = f"{role}@development" if engineer_id is None else f"engineer:{engineer_id}"
        claims = {
            "iss": _DEVELOPMENT,
            "sub": subject,
            "role": role,
            "engineer_id": None if engineer_id is None else str(engineer_id),
            "iat": now,
            "exp": now + timedelta(seconds=ttl_s),
            "jti": uuid4().hex,
        }
        return jwt.encode(claims, self.secret, algorithm="HS256")

    async def verify(self, token: str) -> Verified:
        try:
            claims = jwt.decode(
                token,
                self.secret,
                algorithms=["HS256"],
                issuer=_DEVELOPMENT,
                options={"require": _REQUIRED},
            )
            engineer_id = claims.get("engineer_id")
            actor = Actor(
                subject=claims["sub"],
                role=Role(str(claims.get("role"))),
                engineer_id=None if engineer_id is None else values.engineer_id("engineer_id", engineer_id),
            )
            return _verified(actor, claims)
        except _WRONG as error:
            raise InvalidToken from error


@dataclass(frozen=True, slots=True)
class _Kept:
    verified: Verified
    key_id: str
    key: jwt.PyJWK


@dataclass(slots=True)
class ProviderTokens:
    """Checks access tokens of an identity provider, as an OAuth 2 resource server (RFC 9068, section 4)."""

    keys: SigningKeys
    issuer: str
    audience: str
    claim_mapping: token_claims.ClaimMapping
    now: Callable[[], float] = time.time
    _kept: dict[bytes, _Kept] = field(default_factory=dict, init=False)

    async def verify(self, token: str) -> Verified:
        try:
            if len(token) > _MAX_TOKEN:
                raise ValueError("too long")
            digest = hashlib.sha256(token.encode()).digest()
            kept = await self._recall(digest) or await self._check(token)
        except _WRONG as error:
            log.info("token_refused", reason=repr(error)[:200])
            raise InvalidToken from error
        self._keep(digest, kept)
        return kept.verified

    async def _recall(self, digest: bytes) -> _Kept | None:
        """What is known of the token, as long as it lasts and the provider lists the key that signed it."""
        kept = self._kept.pop(digest, None)
        if kept is None or self.now() >= kept.verified.expires_at.timestamp() + LEEWAY_S:
            return None
        return kept if await self.keys.find(kept.key_id) is kept.key else None

    async def _check(self, token: str) -> _Kept:
        head = jwt.get_unverified_header(token)
        # The signature settles it below; this only spares the provider a question about nonsense.
        if head.get("alg") not in ALGORITHMS:
            raise ValueError("its algorithm is not one of ours")
        if "kid" not in head:
            raise ValueError("it has no key id")
        key = await self.keys.find(head["kid"])
        claims = jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            issuer=self.issuer,
            audience=self.audience,
            leeway=LEEWAY_S,
            options={"require": [*_REQUIRED, "aud"]},
        )
        if not token_claims.is_access_token(head, claims):
            raise ValueError("not an access token")
        return _Kept(_verified(self.claim_mapping.actor(claims), claims), head["kid"], key)

    def _keep(self, digest: bytes, kept: _Kept) -> None:
        """The one that was not asked for the longest gives way."""
        self._kept[digest] = kept
        if len(self._kept) > CACHED_TOKENS:
            del self._kept[next(iter(self._kept))]


def _verified(actor: Actor, claims: Mapping[str, Any]) -> Verified:
    return Verified(
        actor=actor,
        expires_at=datetime.fromtimestamp(int(claims["exp"]), UTC),
        token_id=token_claims.name("jti", claims["jti"]) if "jti" in claims else None,
    )


@dataclass(frozen=True, slots=True)
class SignedIn(BaseUser):
    verified: Verified

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def actor(self) -> Actor:
        return self.verified.actor


class ProviderUnavailable(AuthenticationError):
    """The identity provider is out of reach, and its keys are not known well enough."""


@dataclass(frozen=True, slots=True)
class BearerBackend(AuthenticationBackend):
    """Reads the Authorization header. Without one, nobody is signed in; with a wrong one, 401."""

    authenticator: Authenticator

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        given = header(conn.scope, b"authorization")
        if given is None:
            return None
        try:
            return AuthCredentials(), SignedIn(await self.authenticator.verify(bearer(given)))
        except InvalidToken:
            raise AuthenticationError from None
        except KeysUnavailable:
            raise ProviderUnavailable from None


def bearer(header: object) -> str:
    """The token of an Authorization header. Raises InvalidToken."""
    scheme, _, token = str(header).partition(" ")
    if scheme.lower() != "bearer":
        raise InvalidToken
    return token.strip()


def refuse(_: HTTPConnection, error: AuthenticationError) -> Response:
    """One answer for every wrong token: what is wrong with it helps only who forged it (RFC 6750, 3.1)."""
    if isinstance(error, ProviderUnavailable):
        message = "The service cannot reach the identity provider; try again shortly."
        return _error(
            503, "UNAVAILABLE", message, {"Retry-After": str(COOLDOWN_S)}, retryAfterSeconds=COOLDOWN_S
        )
    message = "The token is invalid or has expired; sign in again."
    return _error(401, "UNAUTHENTICATED", message, {"WWW-Authenticate": 'Bearer error="invalid_token"'})


def _error(status: int, code: str, message: str, headers: Mapping[str, str], **more: object) -> Response:
    return JSONResponse(errors_body(code, message, **more), status_code=status, headers=headers)
