"""Tokens of an identity provider: which are accepted, for which actor, and which are rejected."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest
from structlog.testing import capture_logs

from app.domain.errors import InvalidInput
from app.domain.model import Actor, Role
from app.http.auth import tokens
from app.http.auth.claims import ClaimMapping
from app.http.auth.jwks import COOLDOWN_S, FRESH_S
from app.http.auth.tokens import CACHED_TOKENS, InvalidToken
from tests.apps import client_of, make_app
from tests.http.auth.conftest import CLAIM_MAPPING
from tests.http.auth.invalid_tokens import (
    BY_REASON,
    INVALID,
    seconds_from_now,
    signed_with,
    unsigned,
    with_public_key_as_secret,
)
from tests.http.auth.issuer import AUDIENCE, EC, ED, NEXT, RSA, token

ENGINEER = UUID("0190d3a4-5b6c-7d8e-9f01-23456789abcd")
REFUSED = {
    "errors": [
        {
            "message": "The token is invalid or has expired; sign in again.",
            "extensions": {"code": "UNAUTHENTICATED"},
        }
    ]
}
VIEWER = {"query": "{ viewer { subject role } }"}


@pytest.fixture
async def app(shared_url, provider):
    async with client_of(make_app(shared_url, authenticator=provider)) as client:
        yield client


async def send(app: httpx.AsyncClient, token: str) -> httpx.Response:
    return await app.post("/graphql", json=VIEWER, headers={"Authorization": f"Bearer {token}".encode()})


# Rejected


async def test_every_invalid_token_gets_the_same_response(app, issuer):
    assert (await send(app, token())).status_code == 200
    responses = {}
    for name, make in INVALID.items():
        response = await send(app, make())
        responses[name] = (response.status_code, response.json(), response.headers.get("WWW-Authenticate"))
    expected = (401, REFUSED, 'Bearer error="invalid_token"')
    assert {name: response for name, response in responses.items() if response != expected} == {}
    assert issuer.requests == 1


@pytest.mark.parametrize(
    ("reason", "make"),
    [(reason, make) for reason, cases in BY_REASON.items() for make in cases.values()],
    ids=INVALID.keys(),
)
async def test_only_the_log_has_the_reason_for_an_invalid_token(provider, reason, make):
    invalid = make()
    with capture_logs() as logs, pytest.raises(InvalidToken):
        await provider.verify(invalid)
    [logged] = [log["reason"] for log in logs if log["event"] == "token_refused"]
    assert reason in logged
    assert len(logged) <= 200
    assert invalid[-20:] not in logged or len(invalid) < 20


async def test_another_authorization_scheme_is_rejected(app):
    for header in ("Basic YTpi", "Bearer", "", token(), f"Token {token()}"):
        response = await app.post("/graphql", json=VIEWER, headers={"Authorization": header})
        assert (response.status_code, response.json()) == (401, REFUSED)


async def test_malformed_tokens_cause_no_fetch(provider, issuer):
    for invalid in ("x", "a.b.c", unsigned(), with_public_key_as_secret(), signed_with("RS256")):
        with pytest.raises(InvalidToken):
            await provider.verify(invalid)
    assert issuer.requests == 0


async def test_half_a_surrogate_pair_is_rejected(provider):
    with pytest.raises(InvalidToken):
        await provider.verify(token() + "\ud800")


# Accepted


@pytest.mark.parametrize(
    ("key", "header", "claims"),
    [
        (RSA, {}, {}),
        (EC, {}, {}),
        (ED, {}, {}),
        (RSA, {}, {"aud": ["account", AUDIENCE]}),
        (RSA, {}, {"roles": "dispatcher"}),
        (RSA, {"typ": "application/AT+JWT"}, {}),
        (RSA, {"typ": "JWT"}, {}),
        (RSA, {"typ": None}, {}),
        (RSA, {"typ": "JWT"}, {"typ": "Bearer", "nonce": "older versions of Keycloak"}),
        (RSA, {"typ": "JWT"}, {"token_use": "access"}),
        (RSA, {"jku": "http://127.0.0.1:9/keys", "x5u": "http://127.0.0.1:9/"}, {}),
    ],
    ids=str,
)
async def test_a_valid_token_is_accepted(app, issuer, key, header, claims):
    issuer.keys = [RSA.jwk, EC.jwk, ED.jwk]
    response = await send(app, token(key, header=header, **claims))
    assert response.json()["data"] == {"viewer": {"subject": "maria", "role": "DISPATCHER"}}
    assert issuer.requests == 1


async def test_clocks_may_differ_by_the_leeway(provider):
    for claim, offset_s in (("exp", -25), ("nbf", 25), ("iat", 25)):
        await provider.verify(token(**{claim: seconds_from_now(offset_s)}))


async def test_verified_tokens_have_expiry_and_id(provider):
    expires = seconds_from_now(60)
    verified = await provider.verify(token(exp=expires, jti="8f1c"))
    assert verified == tokens.VerifiedToken(
        Actor("maria", Role.DISPATCHER), datetime.fromtimestamp(expires, UTC), "8f1c"
    )
    assert (await provider.verify(token())).token_id is None


async def test_development_tokens_have_expiry_and_id(tokens):
    first, second = [await tokens.verify(tokens.sign(Role.AUDITOR, None, ttl_s=60)) for _ in range(2)]
    assert first.token_id != second.token_id
    assert timedelta(seconds=55) < first.expires_at - datetime.now(UTC) <= timedelta(seconds=60)


# Roles and engineers


@pytest.mark.parametrize(
    ("path", "claims", "roles", "role"),
    [
        ("roles", {"roles": ["auditor"]}, None, Role.AUDITOR),
        ("roles", {"roles": "admin"}, None, Role.ADMIN),
        ("roles", {"roles": ["offline_access", "auditor", "dispatcher"]}, None, Role.DISPATCHER),
        ("realm_access.roles", {"realm_access": {"roles": ["admin"]}}, None, Role.ADMIN),
        ("a.b.c.d", {"a": {"b.c": {"d": "admin"}}}, None, Role.ADMIN),
        ("https://baton.example/roles", {"https://baton.example/roles": ["admin"]}, None, Role.ADMIN),
        ("groups", {"groups": ["b-d"]}, {"b-d": Role.DISPATCHER}, Role.DISPATCHER),
        ("groups", {"groups": ["b-d", "admin"]}, {"b-d": Role.DISPATCHER}, Role.DISPATCHER),
    ],
    ids=str,
)
def test_the_role_is_read_from_the_configured_claim(path, claims, roles, role):
    mapping = ClaimMapping(path, roles or CLAIM_MAPPING.roles, "engineer_id")
    assert mapping.actor({"sub": "s"} | claims) == Actor("s", role)


@pytest.mark.parametrize(
    ("path", "claims"),
    [
        ("realm_access.roles", {"realm_access": ["admin"]}),
        ("realm_access.roles", {"realm_access": None}),
        ("realm_access.roles", {"roles": ["admin"]}),
        (".", {".": None}),
    ],
    ids=str,
)
def test_a_role_in_another_claim_does_not_count(path, claims):
    with pytest.raises(ValueError, match="no role of ours"):
        ClaimMapping(path, CLAIM_MAPPING.roles, "engineer_id").actor({"sub": "s"} | claims)


def test_the_engineer_id_is_read_from_the_configured_claim():
    mapping = ClaimMapping("roles", CLAIM_MAPPING.roles, "baton.engineer")
    claims: dict[str, Any] = {"sub": "s", "roles": "engineer", "baton": {"engineer": str(ENGINEER)}}
    assert mapping.actor(claims) == Actor("s", Role.ENGINEER, ENGINEER)
    assert mapping.actor(claims | {"roles": "auditor"}) == Actor("s", Role.AUDITOR)
    for invalid in ("", "ENG-1", 7, [str(ENGINEER)], {}):
        with pytest.raises(InvalidInput):
            mapping.actor(claims | {"baton": {"engineer": invalid}})


# Cached tokens


async def test_a_cached_token_is_not_verified_again(provider, monkeypatch):
    cached = token()
    first = await provider.verify(cached)
    monkeypatch.setattr(jwt, "decode", None)
    assert await provider.verify(cached) is first


async def test_a_cached_token_expires(provider, monkeypatch):
    cached = token(exp=seconds_from_now(60))
    await provider.verify(cached)
    later = time.time() + 60 + tokens.LEEWAY_S

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(later, tz)

    provider.now = lambda: later
    monkeypatch.setattr("jwt.api_jwt.datetime", Later)
    with pytest.raises(InvalidToken):
        await provider.verify(cached)


async def test_a_cached_token_is_rejected_after_its_key_is_revoked(provider, issuer, clock):
    cached = token()
    await provider.verify(cached)
    issuer.keys = [NEXT.jwk]
    clock.now_s += FRESH_S
    with pytest.raises(InvalidToken):
        await provider.verify(cached)
    await provider.verify(token(NEXT))


async def test_a_cached_token_is_rejected_when_another_key_has_its_key_id(provider, issuer, clock):
    cached = token()
    await provider.verify(cached)
    issuer.keys = [NEXT.jwk | {"kid": RSA.id}]
    clock.now_s += FRESH_S
    with pytest.raises(InvalidToken):
        await provider.verify(cached)


async def test_the_cache_is_bounded_and_evicts_the_least_recently_used(provider, issuer, monkeypatch):
    issuer.keys = [ED.jwk]
    busy, idle = token(ED, sub="busy"), token(ED, sub="idle")
    for each in (busy, idle):
        await provider.verify(each)
    for i in range(CACHED_TOKENS - 1):
        await provider.verify(busy)
        await provider.verify(token(ED, sub=f"s{i}"))
    assert len(provider._cache) == CACHED_TOKENS
    for make in INVALID.values():
        with pytest.raises(InvalidToken):
            await provider.verify(make())
    assert len(provider._cache) == CACHED_TOKENS
    monkeypatch.setattr(jwt, "decode", None)
    await provider.verify(busy)
    with pytest.raises(TypeError):
        await provider.verify(idle)


# While the provider is unavailable


async def test_an_unavailable_provider_is_503_and_not_401(app, issuer, clock):
    issuer.status = 500
    response = await send(app, token())
    assert response.status_code == 503
    assert response.headers["Retry-After"] == str(COOLDOWN_S)
    [error] = response.json()["errors"]
    assert error["extensions"] == {"code": "UNAVAILABLE", "retryAfterSeconds": COOLDOWN_S}
    assert (await send(app, "nonsense")).json() == REFUSED

    issuer.status = 200
    clock.now_s += COOLDOWN_S
    assert (await send(app, token())).status_code == 200


async def test_an_hour_without_the_provider_rejects_no_token(app, issuer, clock):
    before = token(sub="before")
    assert (await send(app, before)).status_code == 200
    issuer.status = 500
    for _ in range(60):
        clock.now_s += 60
        assert (await send(app, before)).status_code == 200
        assert (await send(app, token(sub="new"))).status_code == 200


async def test_other_requests_are_served_while_the_provider_is_slow(app, issuer):
    issuer.hold()
    waiting = asyncio.create_task(send(app, token()))
    await issuer.until_requested()
    for _ in range(10):
        assert (await app.get("/livez")).status_code == 200
    assert not waiting.done()
    issuer.released.set()
    assert (await waiting).status_code == 200


async def test_a_thousand_forged_tokens_cause_one_fetch(provider, issuer):
    await provider.verify(token())
    for i in range(1000):
        with pytest.raises(InvalidToken):
            await provider.verify(token(ED, header={"kid": f"forged-{i}"}))
    assert issuer.requests == 1
