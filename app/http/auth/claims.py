"""What the claims of an identity provider's token say in our words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain import values
from app.domain.model import Actor, EngineerId, Role

# What only ID tokens have (OpenID Connect Core, 2 and 3.3.2.11).
_OF_ID_TOKENS = frozenset({"nonce", "at_hash", "c_hash"})
_MAX_NAME = 255


@dataclass(frozen=True, slots=True)
class ClaimMapping:
    """Where a provider puts the role and the engineer, and its names for our roles."""

    role_claim: str
    roles: Mapping[str, Role]
    engineer_claim: str

    def actor(self, claims: Mapping[str, Any]) -> Actor:
        """Raises ValueError or InvalidInput for claims that make nobody of ours."""
        role = self._role(claims)
        return Actor(
            subject=name("sub", claims["sub"]),
            role=role,
            engineer_id=self._engineer_id(claims) if role is Role.ENGINEER else None,
        )

    def _role(self, claims: Mapping[str, Any]) -> Role:
        """Of several, the one that Role lists first."""
        found = at(claims, self.role_claim)
        names = found if isinstance(found, list) else [found]
        held = {self.roles[name] for name in names if isinstance(name, str) and name in self.roles}
        for role in Role:
            if role in held:
                return role
        raise ValueError(f"{self.role_claim} has no role of ours")

    def _engineer_id(self, claims: Mapping[str, Any]) -> EngineerId:
        found = at(claims, self.engineer_claim)
        if found is None:
            raise ValueError(f"{self.engineer_claim} is missing")
        return values.engineer_id(self.engineer_claim, found)


def name(claim: str, value: object) -> str:
    """A text that the database can hold as it is. Raises ValueError or InvalidInput."""
    if values.text(_MAX_NAME, required=True)(claim, value) != value:
        raise ValueError(f"{claim} has space around it")
    return str(value)


def at(claims: object, path: str) -> Any:  # noqa: ANN401 - any JSON
    """The value at a dotted path, None where there is none. A name may have dots itself, as URLs do."""
    if not isinstance(claims, dict):
        return None
    if path in claims:
        return claims[path]
    dots = (i for i, character in enumerate(path) if character == ".")
    below = (at(claims.get(path[:i]), path[i + 1 :]) for i in dots)
    return next((found for found in below if found is not None), None)


def is_access_token(header: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
    """Whether it was made for calling an API, and not to tell a client who has signed in."""
    kind = str(header.get("typ", "JWT")).lower().removeprefix("application/")
    if kind != "jwt":
        return kind == "at+jwt"
    if "typ" in claims:  # Keycloak's way; it also has ID, Refresh and Logout
        return bool(claims["typ"] == "Bearer")
    return claims.get("token_use", "access") == "access" and not _OF_ID_TOKENS & claims.keys()
