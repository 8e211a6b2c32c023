"""Sign-in at an identity provider: authorization code flow with PKCE."""

import json
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import expect

from app.domain.model import Role
from app.http.auth.claims import ClaimMapping
from app.http.auth.jwks import SigningKeys
from app.http.auth.tokens import ProviderTokens
from tests.apps import make_app
from tests.browser.conftest import expect_live
from tests.browser.fake_provider import CLIENT_ID, FakeProvider
from tests.serving import serving

CLAIM_MAPPING = ClaimMapping("roles", {role.value: role for role in Role}, "engineer_id")


@pytest.fixture
async def idp(monkeypatch) -> AsyncIterator[FakeProvider]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    idp = FakeProvider()
    async with serving(idp.app()) as served:
        idp.url = f"http://127.0.0.1:{served.port}"
        yield idp


@pytest.fixture
async def url(shared_url, idp) -> AsyncIterator[str]:
    """The address of an application that uses the fake provider."""
    app = make_app(
        shared_url,
        authenticator=ProviderTokens(SigningKeys(f"{idp.url}/keys"), idp.url, idp.audience, CLAIM_MAPPING),
        app_env="production",
        auth_issuer=idp.url,
        auth_client_id=CLIENT_ID,
        auth_scopes="openid offline_access",
        auth_audience=idp.audience,
    )
    async with serving(app) as served:
        yield f"http://127.0.0.1:{served.port}"


@pytest.fixture
def allowed_hosts(url, idp) -> set[str]:
    return {urlsplit(url).netloc, urlsplit(idp.url).netloc}


async def session_of(page) -> dict[str, str] | None:
    return json.loads(await page.evaluate("sessionStorage.getItem('baton.session')") or "null")


async def sign_in(page, url, at="/statistics?days=7"):
    await page.goto(url + at)
    await page.get_by_role("button", name="Sign in at 127.0.0.1").click()


async def test_sign_in_returns_to_the_requested_page(page, url, idp):
    await sign_in(page, url)
    await page.wait_for_url(f"{url}/statistics?days=7")
    await expect(page.get_by_text("maria")).to_be_visible()
    [request] = idp.authorization_requests
    assert request["scope"] == "openid offline_access"
    assert request["audience"] == idp.audience
    assert request["redirect_uri"] == f"{url}/sign-in/callback"


async def test_a_callback_with_a_wrong_state_is_rejected(page, url, idp):
    idp.forges_state = True
    await sign_in(page, url)
    await expect(page.get_by_role("alert")).to_contain_text("Sign-in failed")
    assert idp.token_requests == []
    assert await session_of(page) is None
    idp.forges_state = False
    await page.get_by_role("button", name="Sign in at").click()
    await page.wait_for_url(f"{url}/")


async def test_a_callback_without_a_started_sign_in_is_rejected(page, url, idp):
    await page.goto(f"{url}/sign-in/callback?code=stolen&state=known")
    await expect(page.get_by_role("alert")).to_contain_text("No sign-in was started in this tab")
    assert idp.token_requests == []


async def test_an_expiring_token_is_refreshed_once_for_concurrent_requests(page, url, idp):
    idp.expires_in = 30
    await sign_in(page, url, at="/")
    await expect(page.get_by_text("maria")).to_be_visible()
    await expect_live(page)
    # Otherwise a refresh may be in progress, and the session still has its used refresh token.
    await page.wait_for_load_state("networkidle")
    first, *refreshes = [request["grant_type"] for request in idp.token_requests]
    assert first == "authorization_code"
    assert len(refreshes) >= 2
    # The provider accepts each refresh token once; the list and the WebSocket connect at the same time.
    used = [request["refresh_token"] for request in idp.token_requests[1:]]
    assert len(used) == len(set(used))
    session = await session_of(page)
    assert session["refreshToken"] not in used
    assert session["idToken"]


async def test_a_rejected_refresh_ends_the_session(page, url, idp, browser_errors):
    browser_errors.allow("400")
    idp.expires_in = 30
    idp.accepts_refresh = False
    await sign_in(page, url)
    await expect(page.get_by_role("alert")).to_contain_text("Your session has ended")
    assert await session_of(page) is None


async def test_sign_out_ends_the_session_at_the_provider(page, url, idp):
    await sign_in(page, url, at="/")
    await expect(page.get_by_text("maria")).to_be_visible()
    id_token = (await session_of(page))["idToken"]
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url(f"{url}/sign-in")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert await session_of(page) is None
    assert idp.logout_requests == [
        {"client_id": CLIENT_ID, "id_token_hint": id_token, "post_logout_redirect_uri": f"{url}/sign-in"}
    ]


async def test_development_tokens_are_not_issued_in_production(url):
    async with httpx.AsyncClient(base_url=url) as client:
        assert (await client.post("/dev/token", json={"role": "admin"})).status_code == 404
