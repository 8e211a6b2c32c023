"""Sign-in without a password in development, and the session."""

import pytest
from playwright.async_api import expect

from app.domain.model import Role
from tests.browser.conftest import assert_accessible

VIEWER = """async () => {
  const { accessToken } = JSON.parse(sessionStorage.getItem('baton.session'))
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${accessToken}` },
    body: JSON.stringify({ query: '{ viewer { subject role engineer { name } } }' }),
  })
  return (await response.json()).data.viewer
}"""


@pytest.mark.parametrize("role", [Role.DISPATCHER, Role.AUDITOR, Role.ADMIN])
async def test_a_development_role_is_chosen(product, page, role):
    await page.goto(f"{product.url}/statistics")
    await page.get_by_role("radio", name=role).check()
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_hidden()
    assert (await page.evaluate(VIEWER))["role"] == role.upper()
    assert page.url == f"{product.url}/statistics"


async def test_a_development_engineer_is_chosen_by_name(product, page):
    await page.goto(f"{product.url}/sign-in?to=/my-work")
    await page.get_by_role("radio", name="engineer").check()
    choice = page.get_by_role("combobox", name="Engineer")
    chosen = choice.locator("option").nth(1)
    name = (await chosen.inner_text()).split(" · ")[0]
    await assert_accessible(page)
    await choice.select_option(await chosen.get_attribute("value"))
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{product.url}/my-work")
    viewer = await page.evaluate(VIEWER)
    assert (viewer["role"], viewer["engineer"]["name"]) == ("ENGINEER", name)


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/.//evil.example"])
async def test_sign_in_never_redirects_to_another_site(product, page, browser_errors, to):
    # The page may not exist here; it must not be requested from another host.
    browser_errors.allow("404")
    await page.goto(f"{product.url}/sign-in?to={to}")
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(lambda url: "/sign-in" not in url)
    assert page.url.startswith(f"{product.url}/")
    assert await page.evaluate("sessionStorage.getItem('baton.session')")


async def test_an_invalid_token_leads_to_the_sign_in_page(product, page, browser_errors):
    browser_errors.allow("401", "WebSocket")
    await product.sign_in(page, Role.DISPATCHER)
    await page.evaluate("sessionStorage.setItem('baton.session', JSON.stringify({ accessToken: 'wrong' }))")
    await page.reload()
    await expect(page.get_by_role("alert")).to_have_text("Your session has ended. Sign in again.")
