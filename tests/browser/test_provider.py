"""Signing in on the pages at an identity provider: authorization code flow with PKCE."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import expect

from app.domain.model import Role
from app.http.auth.claims import ClaimMapping
from app.http.auth.jwks import SigningKeys
from app.http.auth.tokens import ProviderTokens
from tests.apps import make_app
from tests.browser.provider import CLIENT_ID, StandIn
from tests.serving import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

READING = ClaimMapping("roles", {role.value: role for role in Role}, "engineer_id")


@pytest.fixture
async def stand_in(monkeypatch) -> AsyncIterator[StandIn]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    stand_in = StandIn()
    async with serving(stand_in.app()) as served:
        stand_in.url = f"http://127.0.0.1:{served.port}"
        yield stand_in


@pytest.fixture
async def url(shared_url, stand_in) -> AsyncIterator[str]:
    """The product, with this provider."""
    tokens = ProviderTokens(SigningKeys(f"{stand_in.url}/keys"), stand_in.url, stand_in.audience, READING)
    app = make_app(
        shared_url,
        authenticator=tokens,
        app_env="production",
        auth_issuer=stand_in.url,
        auth_client_id=CLIENT_ID,
        auth_scopes="openid offline_access",
        auth_audience=stand_in.audience,
    )
    async with serving(app) as served:
        yield f"http://127.0.0.1:{served.port}"


@pytest.fixture
def hosts(url, stand_in) -> set[str]:
    return {urlsplit(url).netloc, urlsplit(stand_in.url).netloc}


async def session_of(page) -> dict[str, str] | None:
    return json.loads(await page.evaluate("sessionStorage.getItem('baton.session')") or "null")


async def sign_in(page, url, at="/statistics?days=7"):
    await page.goto(url + at)
    await page.get_by_role("button", name="Sign in at 127.0.0.1").click()


async def test_who_signs_in_there_comes_back_to_the_page_that_was_asked_for(page, url, stand_in):
    await sign_in(page, url)
    await page.wait_for_url(f"{url}/statistics?days=7")
    await expect(page.get_by_text("maria")).to_be_visible()
    [asked] = stand_in.authorized
    assert asked["scope"] == "openid offline_access"
    assert asked["audience"] == stand_in.audience
    assert asked["redirect_uri"] == f"{url}/sign-in/callback"


async def test_an_answer_to_another_question_is_refused(page, url, stand_in):
    stand_in.forges_state = True
    await sign_in(page, url)
    await expect(page.get_by_role("alert")).to_contain_text("That did not work")
    assert stand_in.exchanged == []
    assert await session_of(page) is None
    stand_in.forges_state = False
    await page.get_by_role("button", name="Sign in at").click()
    await page.wait_for_url(f"{url}/")


async def test_an_answer_that_nobody_waits_for_is_refused(page, url, stand_in):
    await page.goto(f"{url}/sign-in/callback?code=stolen&state=known")
    await expect(page.get_by_role("alert")).to_contain_text("No sign-in was begun in this tab")
    assert stand_in.exchanged == []


async def test_a_token_is_renewed_before_it_expires_and_once_for_all_who_ask(page, url, stand_in):
    stand_in.expires_in = 30
    await sign_in(page, url, at="/")
    await expect(page.get_by_text("maria")).to_be_visible()
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    # A renewal that is under way has used its token, and the page has not kept the answer yet.
    await page.wait_for_load_state("networkidle")
    first, *renewals = [asked["grant_type"] for asked in stand_in.exchanged]
    assert first == "authorization_code"
    assert len(renewals) >= 2
    # The stand-in takes each refresh token once; the list and the socket asked in the same moment.
    used = [asked["refresh_token"] for asked in stand_in.exchanged[1:]]
    assert len(used) == len(set(used))
    session = await session_of(page)
    assert session["refreshToken"] not in used
    assert session["idToken"]


async def test_who_is_not_renewed_any_more_signs_in_again(page, url, stand_in, problems):
    problems.expect("400")
    stand_in.expires_in = 30
    stand_in.renews = False
    await sign_in(page, url)
    await expect(page.get_by_role("alert")).to_contain_text("Your session has ended")
    assert await session_of(page) is None


async def test_signing_out_ends_it_there_too(page, url, stand_in):
    await sign_in(page, url, at="/")
    await expect(page.get_by_text("maria")).to_be_visible()
    id_token = (await session_of(page))["idToken"]
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url(f"{url}/sign-in")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert await session_of(page) is None
    assert stand_in.left == [
        {
            "client_id": CLIENT_ID,
            "id_token_hint": id_token,
            "post_logout_redirect_uri": f"{url}/sign-in",
        }
    ]


async def test_nobody_gets_in_without_a_password(url):
    async with httpx.AsyncClient(base_url=url) as client:
        assert (await client.post("/dev/token", json={"role": "admin"})).status_code == 404
