"""Chooses how tokens are verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.http.auth.claims import ClaimMapping
from app.http.auth.jwks import SigningKeys
from app.http.auth.tokens import Authenticator, DevelopmentTokens, ProviderTokens

if TYPE_CHECKING:
    from app.config import Settings


def authenticator_for(settings: Settings) -> Authenticator:
    """Return the one of the identity provider or, without it, of development. Raises SettingsError."""
    if not settings.has_identity_provider:
        return DevelopmentTokens(settings.dev_secret)
    return ProviderTokens(
        keys=SigningKeys(settings.auth_jwks_url),
        issuer=settings.auth_issuer,
        audience=settings.auth_audience,
        claim_mapping=ClaimMapping(settings.auth_role_claim, settings.role_map, settings.auth_engineer_claim),
    )
