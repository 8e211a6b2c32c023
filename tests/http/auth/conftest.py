"""An identity provider, a clock that tests move, and the objects that use them."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from app.domain.model import Role
from app.http.auth.claims import ClaimMapping
from app.http.auth.jwks import SigningKeys
from app.http.auth.tokens import ProviderTokens
from tests.http.auth.issuer import AUDIENCE, ISSUER, Issuer, running

CLAIM_MAPPING = ClaimMapping("roles", {role.value: role for role in Role}, "engineer_id")


@dataclass
class Clock:
    now_s: float = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def issuer(monkeypatch) -> Iterator[Issuer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with running() as issuer:
        yield issuer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(issuer, clock) -> SigningKeys:
    return SigningKeys(issuer.url, clock)


@pytest.fixture
def provider(keys) -> ProviderTokens:
    return ProviderTokens(keys, ISSUER, AUDIENCE, CLAIM_MAPPING)
