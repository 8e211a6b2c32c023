"""Tokens of an identity provider, as a client sends them: who is let in, as whom, and who is not."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

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
from tests.http.auth.issuer import AUDIENCE, EC, ED, NEXT, RSA, token
from tests.http.auth.wrong_tokens import (
    BY_REASON,
    WRONG,
    in_s,
    signed_otherwise,
    unsigned,
    with_public_key_as_secret,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

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


@asynccontextmanager
async def serving(url: str, authenticator: tokens.Authenticator) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(make_app(url, authenticator=authenticator)) as client:
        yield client


@pytest.fixture
async def app(shared_url, provider):
    async with serving(shared_url, provider) as client:
        yield client


async def send(app: httpx.AsyncClient, given: str) -> httpx.Response:
    return await app.post("/graphql", json=VIEWER, headers={"Authorization": f"Bearer {given}".encode()})


# Who is not let in


async def test_every_wrong_token_has_the_same_answer(app, issuer):
    assert (await send(app, token())).status_code == 200
    answers = {}
    for why, make in WRONG.items():
        response = await send(app, make())
        answers[why] = (response.status_code, response.json(), response.headers.get("WWW-Authenticate"))
    same = (401, REFUSED, 'Bearer error="invalid_token"')
    assert {why: answer for why, answer in answers.items() if answer != same} == {}
    assert issuer.asked == 1


@pytest.mark.parametrize(
    ("reason", "make"),
    [(reason, make) for reason, of_reason in BY_REASON.items() for make in of_reason.values()],
    ids=WRONG.keys(),
)
async def test_a_wrong_token_is_refused_for_its_own_reason_and_only_the_log_has_it(provider, reason, make):
    wrong = make()
    with capture_logs() as logs, pytest.raises(InvalidToken):
        await provider.verify(wrong)
    [said] = [log["reason"] for log in logs if log["event"] == "token_refused"]
    assert reason in said
    assert len(said) <= 200
    assert wrong[-20:] not in said or len(wrong) < 20


async def test_every_other_header_has_the_answer_of_a_wrong_token(app):
    for header in ("Basic YTpi", "Bearer", "", token(), f"Token {token()}"):
        response = await app.post("/graphql", json=VIEWER, headers={"Authorization": header})
        assert (response.status_code, response.json()) == (401, REFUSED)


async def test_nonsense_asks_the_provider_nothing(provider, issuer):
    for wrong in ("x", "a.b.c", unsigned(), with_public_key_as_secret(), signed_otherwise("RS256")):
        with pytest.raises(InvalidToken):
            await provider.verify(wrong)
    assert issuer.asked == 0


async def test_half_a_surrogate_pair_is_a_wrong_token(provider):
    with pytest.raises(InvalidToken):
        await provider.verify(token() + "\ud800")


# Who is let in


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
async def test_a_good_token_is_let_in(app, issuer, key, header, claims):
    issuer.keys = [RSA.listed, EC.listed, ED.listed]
    response = await send(app, token(key, header=header, **claims))
    assert response.json()["data"] == {"viewer": {"subject": "maria", "role": "DISPATCHER"}}
    assert issuer.asked == 1


async def test_the_clocks_may_differ_a_little(provider):
    for claims in ({"exp": in_s(-25)}, {"nbf": in_s(25)}, {"iat": in_s(25)}):
        await provider.verify(token(**claims))


async def test_it_says_until_when_and_which_token(provider):
    expires = in_s(60)
    verified = await provider.verify(token(exp=expires, jti="8f1c"))
    assert verified == tokens.Verified(
        Actor("maria", Role.DISPATCHER), datetime.fromtimestamp(expires, UTC), "8f1c"
    )
    assert (await provider.verify(token())).token_id is None


async def test_development_tokens_say_it_too(tokens):
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
def test_a_role_is_where_the_settings_say(path, claims, roles, role):
    reading = ClaimMapping(path, roles or CLAIM_MAPPING.roles, "engineer_id")
    assert reading.actor({"sub": "s"} | claims) == Actor("s", role)


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
def test_nobody_has_a_role_that_is_elsewhere(path, claims):
    with pytest.raises(ValueError, match="no role of ours"):
        ClaimMapping(path, CLAIM_MAPPING.roles, "engineer_id").actor({"sub": "s"} | claims)


def test_an_engineer_is_who_the_provider_says():
    reading = ClaimMapping("roles", CLAIM_MAPPING.roles, "baton.engineer")
    claims: dict[str, Any] = {"sub": "s", "roles": "engineer", "baton": {"engineer": str(ENGINEER)}}
    assert reading.actor(claims) == Actor("s", Role.ENGINEER, ENGINEER)
    assert reading.actor(claims | {"roles": "auditor"}) == Actor("s", Role.AUDITOR)
    for wrong in ("", "ENG-1", 7, [str(ENGINEER)], {}):
        with pytest.raises(InvalidInput):
            reading.actor(claims | {"baton": {"engineer": wrong}})


# Tokens that are known already


async def test_a_known_token_is_not_verified_again(provider, monkeypatch):
    given = token()
    first = await provider.verify(given)
    monkeypatch.setattr(jwt, "decode", None)
    assert await provider.verify(given) is first


async def test_a_known_token_ends_with_its_time(provider, monkeypatch):
    given = token(exp=in_s(60))
    await provider.verify(given)
    later = time.time() + 60 + tokens.LEEWAY_S

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(later, tz)

    provider.now = lambda: later
    monkeypatch.setattr("jwt.api_jwt.datetime", Later)
    with pytest.raises(InvalidToken):
        await provider.verify(given)


async def test_a_known_token_ends_with_its_key(provider, issuer, clock):
    given = token()
    await provider.verify(given)
    issuer.keys = [NEXT.listed]
    clock.now_s += FRESH_S
    with pytest.raises(InvalidToken):
        await provider.verify(given)
    await provider.verify(token(NEXT))


async def test_a_known_token_ends_with_its_key_also_when_another_takes_the_name(provider, issuer, clock):
    given = token()
    await provider.verify(given)
    issuer.keys = [NEXT.listed | {"kid": RSA.id}]
    clock.now_s += FRESH_S
    with pytest.raises(InvalidToken):
        await provider.verify(given)


async def test_only_so_many_tokens_are_kept_and_the_idle_ones_go_first(provider, issuer, monkeypatch):
    issuer.keys = [ED.listed]
    busy, idle = token(ED, sub="busy"), token(ED, sub="idle")
    for given in (busy, idle):
        await provider.verify(given)
    for i in range(CACHED_TOKENS - 1):
        await provider.verify(busy)
        await provider.verify(token(ED, sub=f"s{i}"))
    assert len(provider._kept) == CACHED_TOKENS
    for make in WRONG.values():
        with pytest.raises(InvalidToken):
            await provider.verify(make())
    assert len(provider._kept) == CACHED_TOKENS
    monkeypatch.setattr(jwt, "decode", None)
    await provider.verify(busy)
    with pytest.raises(TypeError):
        await provider.verify(idle)


# When the provider does not answer


async def test_a_provider_out_of_reach_is_503_and_no_wrong_token(app, issuer, clock):
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


async def test_an_hour_without_the_provider_signs_nobody_out(app, issuer, clock):
    before = token(sub="before")
    assert (await send(app, before)).status_code == 200
    issuer.status = 500
    for _ in range(60):
        clock.now_s += 60
        assert (await send(app, before)).status_code == 200
        assert (await send(app, token(sub="new"))).status_code == 200


async def test_others_are_served_while_the_provider_is_slow(app, issuer):
    issuer.hold()
    waiting = asyncio.create_task(send(app, token()))
    await issuer.is_asked()
    for _ in range(10):
        assert (await app.get("/livez")).status_code == 200
    assert not waiting.done()
    issuer.answers.set()
    assert (await waiting).status_code == 200


async def test_a_thousand_forged_tokens_ask_once(provider, issuer):
    await provider.verify(token())
    for i in range(1000):
        with pytest.raises(InvalidToken):
            await provider.verify(token(ED, header={"kid": f"forged-{i}"}))
    assert issuer.asked == 1
