"""Authentication by bearer token.

An Authenticator verifies tokens: DevelopmentTokens signs its own, ProviderTokens uses an identity provider.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from uuid import uuid4

import jwt
import structlog
from cachetools import LRUCache
from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, BaseUser

from app.domain import values
from app.domain.errors import InvalidInput
from app.domain.model import Actor, EngineerId, Role
from app.http.auth import claims as token_claims
from app.http.auth.jwks import ALGORITHMS, COOLDOWN_S, KeysUnavailable, SigningKeys, UnknownKey
from app.http.errors import error_response
from app.http.headers import header

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from starlette.requests import HTTPConnection
    from starlette.responses import Response

    from app.config import Settings

log = structlog.get_logger()

LEEWAY_S = 30
"""Tolerated difference between the provider's clock and ours."""
RECHECK_S = 60.0
"""How often the token of an open stream is verified again: its key may have been withdrawn."""
CACHED_TOKENS = 1024
_MAX_TOKEN_LENGTH = 16 * 1024
_DEVELOPMENT_ISSUER = "baton-development"
_REQUIRED_CLAIMS = ["exp", "iat", "iss", "sub"]
_VERIFICATION_ERRORS = (jwt.PyJWTError, UnknownKey, InvalidInput, ValueError, OverflowError, OSError)


TokenEnd: TypeAlias = "Callable[[], Coroutine[Any, Any, str]]"
"""Returns when a token is no longer valid, with the reason."""


class InvalidToken(Exception):
    """The token has another issuer, has expired, or lacks a claim."""


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A verified token: its actor, expiry (`exp`) and id (`jti`), None if it has no id."""

    actor: Actor
    expires_at: datetime
    token_id: str | None

    @property
    def seconds_left(self) -> float:
        return (self.expires_at - datetime.now(UTC)).total_seconds()


class Authenticator(Protocol):
    async def verify(self, token: str) -> VerifiedToken:
        """Raises InvalidToken, or KeysUnavailable if the token can be neither accepted nor rejected."""


@dataclass(frozen=True, slots=True)
class DevelopmentTokens:
    """Signs and verifies tokens with a shared secret (HS256)."""

    secret: str

    def sign(self, role: Role, engineer_id: EngineerId | None, *, ttl_s: int) -> str:
        now = datetime.now(UTC)
        subject = f"{role}@development" if engineer_id is None else f"engineer:{engineer_id}"
        claims = {
            "iss": _DEVELOPMENT_ISSUER,
            "sub": subject,
            "role": role,
            "engineer_id": None if engineer_id is None else str(engineer_id),
            "iat": now,
            "exp": now + timedelta(seconds=ttl_s),
            "jti": uuid4().hex,
        }
        return jwt.encode(claims, self.secret, algorithm="HS256")

    async def verify(self, token: str) -> VerifiedToken:
        try:
            claims = jwt.decode(
                token,
                self.secret,
                algorithms=["HS256"],
                issuer=_DEVELOPMENT_ISSUER,
                options={"require": _REQUIRED_CLAIMS},
            )
            engineer_id = claims.get("engineer_id")
            actor = Actor(
                subject=claims["sub"],
                role=Role(str(claims.get("role"))),
                engineer_id=None if engineer_id is None else values.engineer_id("engineer_id", engineer_id),
            )
            return _verified_token(actor, claims)
        except _VERIFICATION_ERRORS as error:
            raise InvalidToken from error


@dataclass(frozen=True, slots=True)
class _CachedToken:
    verified: VerifiedToken
    key_id: str
    key: jwt.PyJWK


@dataclass(slots=True)
class ProviderTokens:
    """Verifies access tokens of an identity provider as an OAuth 2 resource server (RFC 9068, section 4)."""

    keys: SigningKeys
    issuer: str
    audience: str
    claim_mapping: token_claims.ClaimMapping
    now: Callable[[], float] = time.time
    _cache: LRUCache[bytes, _CachedToken] = field(default_factory=lambda: LRUCache(CACHED_TOKENS), init=False)

    async def verify(self, token: str) -> VerifiedToken:
        try:
            if len(token) > _MAX_TOKEN_LENGTH:
                raise ValueError("too long")
            digest = hashlib.sha256(token.encode()).digest()
            cached = await self._cached(digest)
            if cached is None:
                cached = self._cache[digest] = await self._check(token)
        except _VERIFICATION_ERRORS as error:
            log.info("token_refused", reason=repr(error)[:200])
            raise InvalidToken from error
        return cached.verified

    async def _cached(self, digest: bytes) -> _CachedToken | None:
        """None if not cached, expired, or if the provider no longer lists the key that signed it."""
        cached = self._cache.get(digest)
        if cached is None or self.now() >= cached.verified.expires_at.timestamp() + LEEWAY_S:
            return None
        return cached if await self.keys.find(cached.key_id) is cached.key else None

    async def _check(self, token: str) -> _CachedToken:
        head = jwt.get_unverified_header(token)
        # jwt.decode checks this, too; here it avoids a fetch of keys for invalid tokens.
        if head.get("alg") not in ALGORITHMS:
            raise ValueError("its algorithm is not allowed")
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
            options={"require": [*_REQUIRED_CLAIMS, "aud"]},
        )
        if not token_claims.is_access_token(head, claims):
            raise ValueError("not an access token")
        return _CachedToken(_verified_token(self.claim_mapping.actor(claims), claims), head["kid"], key)


def authenticator_for(settings: Settings) -> Authenticator:
    """Return the one of the identity provider or, without it, of development. Raises SettingsError."""
    if not settings.has_identity_provider:
        return DevelopmentTokens(settings.dev_secret)
    return ProviderTokens(
        keys=SigningKeys(settings.auth_jwks_url),
        issuer=settings.auth_issuer,
        audience=settings.auth_audience,
        claim_mapping=token_claims.ClaimMapping(
            settings.auth_role_claim, settings.role_map, settings.auth_engineer_claim
        ),
    )


def _verified_token(actor: Actor, claims: Mapping[str, Any]) -> VerifiedToken:
    return VerifiedToken(
        actor=actor,
        expires_at=datetime.fromtimestamp(int(claims["exp"]), UTC),
        token_id=token_claims.checked_text("jti", claims["jti"]) if "jti" in claims else None,
    )


@dataclass(frozen=True, slots=True)
class AuthenticatedUser(BaseUser):
    verified: VerifiedToken

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def actor(self) -> Actor:
        return self.verified.actor


class ProviderUnavailable(AuthenticationError):
    """The identity provider is unavailable, and no cached key can verify the token."""


@dataclass(frozen=True, slots=True)
class BearerBackend(AuthenticationBackend):
    """Reads the Authorization header. A request without it is anonymous; an invalid token is an error."""

    authenticator: Authenticator

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        authorization = header(conn.scope, b"authorization")
        if authorization is None:
            return None
        try:
            verified = await self.authenticator.verify(bearer_token(authorization))
        except InvalidToken:
            raise AuthenticationError from None
        except KeysUnavailable:
            raise ProviderUnavailable from None
        return AuthCredentials(), AuthenticatedUser(verified)


async def wait_until_invalid(authenticator: Authenticator, token: str, verified: VerifiedToken) -> str:
    """Return why a stream must end: the token has expired, or the provider has withdrawn its key."""
    while (seconds_left := verified.seconds_left + LEEWAY_S) > 0:
        await asyncio.sleep(min(seconds_left, RECHECK_S))
        with suppress(KeysUnavailable):  # as for requests, which the keys in memory still verify
            try:
                await authenticator.verify(token)
            except InvalidToken:
                break
    return "The token has expired" if verified.seconds_left <= 0 else "The token is no longer valid"


def bearer_token(header: object) -> str:
    """The token of an Authorization header. Raises InvalidToken."""
    scheme, _, token = str(header).partition(" ")
    if scheme.lower() != "bearer":
        raise InvalidToken
    return token.strip()


def authentication_error_response(_: HTTPConnection, error: AuthenticationError) -> Response:
    """Respond the same for every invalid token: details would help only attackers (RFC 6750, section 3.1)."""
    if isinstance(error, ProviderUnavailable):
        message = "The service cannot reach the identity provider; try again shortly."
        return error_response(
            503, "UNAVAILABLE", message, {"Retry-After": str(COOLDOWN_S)}, retryAfterSeconds=COOLDOWN_S
        )
    message = "The token is invalid or has expired; sign in again."
    return error_response(
        401, "UNAUTHENTICATED", message, {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    )
