"""The provider's keys: which are taken, how often they are asked for, and what if nobody answers."""

from __future__ import annotations

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
    assert issuer.asked == 1


async def test_a_thousand_forged_key_ids_ask_once_each_cooldown(issuer, keys, clock):
    await keys.find(RSA.id)

    async def forged(first: int) -> None:
        asked = (keys.find(f"forged-{i}") for i in range(first, first + 1000))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(answer) for answer in answers} == {UnknownKey}

    await forged(0)
    assert issuer.asked == 1
    clock.now_s += COOLDOWN_S
    await forged(1000)
    await forged(2000)
    assert issuer.asked == 2


async def test_a_new_key_is_known_after_the_cooldown_and_the_old_one_until_it_is_withdrawn(
    issuer, keys, clock
):
    await keys.find(RSA.id)
    issuer.keys = [RSA.listed, NEXT.listed]
    with pytest.raises(UnknownKey):
        await keys.find(NEXT.id)
    clock.now_s += COOLDOWN_S
    await keys.find(NEXT.id)
    await keys.find(RSA.id)

    issuer.keys = [NEXT.listed]
    clock.now_s += FRESH_S - 1
    await keys.find(RSA.id)
    clock.now_s += 1
    with pytest.raises(UnknownKey):
        await keys.find(RSA.id)
    await keys.find(NEXT.id)


async def test_known_keys_serve_for_a_day_while_the_provider_is_down(issuer, keys, clock):
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


async def test_while_the_provider_is_down_nobody_is_told_that_a_key_is_unknown(issuer, keys, clock):
    await keys.find(RSA.id)
    issuer.status = 500
    clock.now_s += COOLDOWN_S
    for _ in range(100):
        with pytest.raises(KeysUnavailable):
            await keys.find(NEXT.id)
    assert issuer.asked == 2


async def test_a_provider_that_was_never_reached_is_asked_again_after_the_cooldown(issuer, keys, clock):
    issuer.status = 404
    for _ in range(100):
        with pytest.raises(KeysUnavailable):
            await keys.find(RSA.id)
    assert issuer.asked == 1
    issuer.status = 200
    clock.now_s += COOLDOWN_S
    await keys.find(RSA.id)


async def test_a_slow_provider_keeps_nobody_waiting_who_has_a_known_key(issuer, keys, clock):
    await keys.find(RSA.id)
    clock.now_s += FRESH_S
    issuer.hold()
    first = asyncio.create_task(keys.find(RSA.id))
    await issuer.is_asked()
    assert (await keys.find(RSA.id)).key_id == RSA.id
    assert not first.done()
    issuer.answers.set()
    assert (await first).key_id == RSA.id


async def test_who_gives_up_waiting_does_not_stop_the_fetch_for_others(issuer, keys):
    issuer.hold()
    impatient, patient = (asyncio.create_task(keys.find(RSA.id)) for _ in range(2))
    await issuer.is_asked()
    impatient.cancel()
    issuer.answers.set()
    assert (await patient).key_id == RSA.id
    assert impatient.cancelled()
    assert issuer.asked == 1


async def test_a_provider_that_does_not_answer_in_time_is_given_up_and_not_asked_beside(
    issuer, keys, clock, monkeypatch
):
    monkeypatch.setattr(jwks, "_PATIENCE_S", 0.05)
    issuer.hold()
    for _ in range(2):
        with pytest.raises(KeysUnavailable):
            await keys.find(RSA.id)
        clock.now_s += COOLDOWN_S
    renewal = keys._renewal
    issuer.answers.set()
    await asyncio.wait({renewal})
    await keys.find(RSA.id)
    assert issuer.asked == 1


async def test_the_event_loop_turns_while_the_provider_is_slow(issuer, keys):
    issuer.hold()
    waiting = asyncio.create_task(keys.find(RSA.id))
    longest_s, turns = 0.0, 0
    while issuer.asked < 1 or turns < 1000:
        before = time.perf_counter()
        await asyncio.sleep(0)
        longest_s, turns = max(longest_s, time.perf_counter() - before), turns + 1
    assert not waiting.done()
    assert longest_s < 0.5
    issuer.answers.set()
    await waiting


def test_keys_that_are_not_for_us_are_passed_over(issuer):
    weak, private = rsa_key("weak", bits=1024), json.loads(RSAAlgorithm.to_jwk(RSA.private))
    issuer.keys = [
        RSA.listed,
        EC.listed,
        ED.listed,
        weak.listed,
        private | {"kid": "private", "alg": "RS256"},
        RSA.listed | {"kid": "encryption", "use": "enc"},
        RSA.listed | {"kid": "other algorithm", "alg": "RS512"},
        RSA.listed | {"kid": "unknown algorithm", "alg": ["RS256"]},
        RSA.listed | {"kid": "broken", "n": "!"},
        RSA.listed | {"kid": 7},
        {name: value for name, value in RSA.listed.items() if name != "kid"},
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
def test_an_answer_without_keys_is_no_answer(issuer, body):
    issuer.body = body
    with pytest.raises(KeysUnavailable):
        jwks.fetch(issuer.url)


def test_a_redirect_is_not_followed(issuer):
    with running() as elsewhere:
        issuer.status, issuer.headers = 302, {"Location": elsewhere.url}
        with pytest.raises(KeysUnavailable, match="302"):
            jwks.fetch(issuer.url)
        assert elsewhere.asked == 0


def test_nobody_listens(issuer):
    with pytest.raises(KeysUnavailable, match="refused"):
        jwks.fetch("http://127.0.0.1:9/keys")


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path):
    with running(certificate(tmp_path)) as issuer, pytest.raises(KeysUnavailable, match="CERTIFICATE"):
        jwks.fetch(issuer.url)


def test_an_answer_without_end_is_cut_off(issuer, monkeypatch):
    issuer.body = b" " * 300_000
    with pytest.raises(KeysUnavailable, match="more than 262144 bytes"):
        jwks.fetch(issuer.url)
    issuer.body = None
    monkeypatch.setattr(jwks, "_DEADLINE_S", -1)
    with pytest.raises(KeysUnavailable, match="too long"):
        jwks.fetch(issuer.url)
