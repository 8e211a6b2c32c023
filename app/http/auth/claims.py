"""Maps the claims of an identity provider's token to an actor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain import values
from app.domain.model import Actor, EngineerId, Role

# Only ID tokens have these claims (OpenID Connect Core, sections 2 and 3.3.2.11).
_ID_TOKEN_CLAIMS = frozenset({"nonce", "at_hash", "c_hash"})
_MAX_LENGTH = 255


@dataclass(frozen=True, slots=True)
class ClaimMapping:
    """The claims with the role and the engineer id, and our roles by the provider's names."""

    role_claim: str
    roles: Mapping[str, Role]
    engineer_claim: str

    def actor(self, claims: Mapping[str, Any]) -> Actor:
        """Raises ValueError or InvalidInput."""
        role = self._role(claims)
        return Actor(
            subject=checked_text("sub", claims["sub"]),
            role=role,
            engineer_id=self._engineer_id(claims) if role is Role.ENGINEER else None,
        )

    def _role(self, claims: Mapping[str, Any]) -> Role:
        """The first in the order of Role, if the user has several."""
        value = claim_at(claims, self.role_claim)
        names = value if isinstance(value, list) else [value]
        roles = {self.roles[name] for name in names if isinstance(name, str) and name in self.roles}
        for role in Role:
            if role in roles:
                return role
        raise ValueError(f"{self.role_claim} has no role of ours")

    def _engineer_id(self, claims: Mapping[str, Any]) -> EngineerId:
        engineer_id = claim_at(claims, self.engineer_claim)
        if engineer_id is None:
            raise ValueError(f"{self.engineer_claim} is missing")
        return values.engineer_id(self.engineer_claim, engineer_id)


def checked_text(claim: str, value: object) -> str:
    """Text that the database can store unchanged. Raises ValueError or InvalidInput."""
    if values.text(_MAX_LENGTH, required=True)(claim, value) != value:
        raise ValueError(f"{claim} has leading or trailing space")
    return str(value)


def claim_at(claims: object, path: str) -> Any:  # noqa: ANN401 - any JSON
    """The value at a dotted path, or None. A claim's name may itself contain dots, as URLs do."""
    if not isinstance(claims, dict):
        return None
    if path in claims:
        return claims[path]
    dots = (i for i, character in enumerate(path) if character == ".")
    nested = (claim_at(claims.get(path[:i]), path[i + 1 :]) for i in dots)
    return next((value for value in nested if value is not None), None)


def is_access_token(header: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
    """Whether the token authorises API calls, unlike an ID token, which identifies the user to a client."""
    media_type = str(header.get("typ", "JWT")).lower().removeprefix("application/")
    if media_type != "jwt":
        return media_type == "at+jwt"
    if "typ" in claims:  # set by Keycloak; other values are ID, Refresh, Logout
        return bool(claims["typ"] == "Bearer")
    return claims.get("token_use", "access") == "access" and not _ID_TOKEN_CLAIMS & claims.keys()
