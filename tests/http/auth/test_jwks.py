"""Signing keys: which are accepted, how often they are fetched, and what happens if a fetch fails."""

import asyncio
import json
import time

import pytest
from jwt.algorithms import RSAAlgorithm

from app.http.auth import jwks
from app.http.auth.jwks import COOLDOWN_S, FRESH_S, STALE_S, KeysUnavailable, UnknownKey
from tests.http.auth.issuer import EC, ED, NEXT, RSA, certificate, rsa_key, running


async def test_keys_are_fetched_once(issuer, keys):
    await asyncio.gather(*(keys.find(RSA.id) for _ in range(100)))
    for _ in range(100):
        await keys.find(RSA.id)
    assert issuer.requests == 1


async def test_forged_key_ids_cause_one_fetch_per_cooldown(issuer, keys, clock):
    await keys.find(RSA.id)

    async def forged(first: int) -> None:
        calls = (keys.find(f"forged-{i}") for i in range(first, first + 1000))
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(result) for result in results} == {UnknownKey}

    await forged(0)
    assert issuer.requests == 1
    clock.now_s += COOLDOWN_S
    await forged(1000)
    await forged(2000)
    assert issuer.requests == 2


async def test_a_new_key_is_found_after_the_cooldown_and_a_revoked_one_is_dropped(issuer, keys, clock):
    await keys.find(RSA.id)
    issuer.keys = [RSA.jwk, NEXT.jwk]
    with pytest.raises(UnknownKey):
        await keys.find(NEXT.id)
    clock.now_s += COOLDOWN_S
    await keys.find(NEXT.id)
    await keys.find(RSA.id)

    issuer.keys = [NEXT.jwk]
    clock.now_s += FRESH_S - 1
    await keys.find(RSA.id)
    clock.now_s += 1
    with pytest.raises(UnknownKey):
        await keys.find(RSA.id)
    await keys.find(NEXT.id)


async def test_cached_keys_are_used_for_a_day_while_the_provider_is_down(issuer, keys, clock):
    await keys.find(RSA.id)
    issuer.status = 503
    for minutes in range(0, 61, 5):
        clock.now_s = 1_000 + minutes * 60
        await keys.find(RSA.id)
    clock.now_s = 1_000 + STALE_S - 1
    await keys.find(RSA.id)
    clock.now_s += 1
    with pytest.raises(KeysUnavailable):
        await keys.find(RSA.id)

    issuer.status = 200
    clock.now_s += COOLDOWN_S
    await keys.find(RSA.id)


async def test_no_key_counts_as_unknown_while_the_provider_is_down(issuer, keys, clock):
    await keys.find(RSA.id)
    issuer.status = 500
    clock.now_s += COOLDOWN_S
    for _ in range(100):
        with pytest.raises(KeysUnavailable):
            await keys.find(NEXT.id)
    assert issuer.requests == 2


async def test_a_failed_first_fetch_is_repeated_after_the_cooldown(issuer, keys, clock):
    issuer.status = 404
    for _ in range(100):
        with pytest.raises(KeysUnavailable):
            await keys.find(RSA.id)
    assert issuer.requests == 1
    issuer.status = 200
    clock.now_s += COOLDOWN_S
    await keys.find(RSA.id)


async def test_a_slow_refresh_delays_only_the_first_caller(issuer, keys, clock):
    await keys.find(RSA.id)
    clock.now_s += FRESH_S
    issuer.hold()
    first = asyncio.create_task(keys.find(RSA.id))
    await issuer.until_requested()
    assert (await keys.find(RSA.id)).key_id == RSA.id
    assert not first.done()
    issuer.released.set()
    assert (await first).key_id == RSA.id


async def test_a_cancelled_caller_does_not_cancel_the_fetch_for_others(issuer, keys):
    issuer.hold()
    cancelled, other = (asyncio.create_task(keys.find(RSA.id)) for _ in range(2))
    await issuer.until_requested()
    cancelled.cancel()
    issuer.released.set()
    assert (await other).key_id == RSA.id
    assert cancelled.cancelled()
    assert issuer.requests == 1


async def test_a_fetch_that_takes_too_long_continues_and_is_not_repeated(issuer, keys, clock, monkeypatch):
    monkeypatch.setattr(jwks, "_WAIT_S", 0.05)
    issuer.hold()
    for _ in range(2):
        with pytest.raises(KeysUnavailable):
            await keys.find(RSA.id)
        clock.now_s += COOLDOWN_S
    refresh = keys._refresh_task
    issuer.released.set()
    await asyncio.wait({refresh})
    await keys.find(RSA.id)
    assert issuer.requests == 1


async def test_a_slow_fetch_does_not_block_the_event_loop(issuer, keys):
    issuer.hold()
    waiting = asyncio.create_task(keys.find(RSA.id))
    longest_s, iterations = 0.0, 0
    while issuer.requests < 1 or iterations < 1000:
        before = time.perf_counter()
        await asyncio.sleep(0)
        longest_s, iterations = max(longest_s, time.perf_counter() - before), iterations + 1
    assert not waiting.done()
    assert longest_s < 0.5
    issuer.released.set()
    await waiting


def test_unusable_keys_are_ignored(issuer):
    weak, private = rsa_key("weak", bits=1024), json.loads(RSAAlgorithm.to_jwk(RSA.private))
    issuer.keys = [
        RSA.jwk,
        EC.jwk,
        ED.jwk,
        weak.jwk,
        private | {"kid": "private", "alg": "RS256"},
        RSA.jwk | {"kid": "encryption", "use": "enc"},
        RSA.jwk | {"kid": "other algorithm", "alg": "RS512"},
        RSA.jwk | {"kid": "unknown algorithm", "alg": ["RS256"]},
        RSA.jwk | {"kid": "broken", "n": "!"},
        RSA.jwk | {"kid": 7},
        {name: value for name, value in RSA.jwk.items() if name != "kid"},
        {"kty": "oct", "kid": "shared secret", "k": "c2VjcmV0", "alg": "HS256"},
        {"kty": "new", "kid": "new"},
        {},
        "not a key",
    ]
    assert sorted(jwks.fetch(issuer.url)) == ["ec", "ed", "rsa"]


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"7", b"null", b'{"keys": null}', b'{"keys": []}', b"\xff", b"[" * 100_000],
    ids=lambda body: repr(body[:16]),
)
def test_a_response_without_keys_is_an_error(issuer, body):
    issuer.body = body
    with pytest.raises(KeysUnavailable):
        jwks.fetch(issuer.url)


def test_a_redirect_is_not_followed(issuer):
    with running() as other:
        issuer.status, issuer.headers = 302, {"Location": other.url}
        with pytest.raises(KeysUnavailable, match="302"):
            jwks.fetch(issuer.url)
        assert other.requests == 0


def test_a_refused_connection_is_an_error(issuer):
    with pytest.raises(KeysUnavailable, match="refused"):
        jwks.fetch("http://127.0.0.1:9/keys")


def test_an_untrusted_certificate_is_refused(tmp_path):
    with running(certificate(tmp_path)) as issuer, pytest.raises(KeysUnavailable, match="CERTIFICATE"):
        jwks.fetch(issuer.url)


def test_a_response_that_is_too_large_or_too_slow_is_cut_off(issuer, monkeypatch):
    issuer.body = b" " * 300_000
    with pytest.raises(KeysUnavailable, match="more than 262144 bytes"):
        jwks.fetch(issuer.url)
    issuer.body = None
    monkeypatch.setattr(jwks, "_FETCH_TIMEOUT_S", -1)
    with pytest.raises(KeysUnavailable, match="too long"):
        jwks.fetch(issuer.url)
