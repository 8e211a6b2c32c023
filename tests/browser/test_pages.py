"""Every page: its states, colour schemes and keyboard shortcuts."""

import re

import pytest
from playwright.async_api import expect

from app.domain.model import Role
from tests.browser.conftest import assert_accessible, assert_fits, expect_live, press


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("/", "Tickets"),
        ("/?q=no-such-ticket", "Tickets"),
        ("/tickets/none", "Ticket not found"),
        ("/my-work", "My work"),
        ("/statistics", "Statistics"),
    ],
)
async def test_page_is_accessible(product, page, path, heading):
    await product.sign_in(page, Role.DISPATCHER, at=path)
    await expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
    await expect(page.get_by_role("status", name="Loading")).to_have_count(0)
    await expect(page).to_have_title(re.compile("Baton$"))
    await assert_accessible(page)


async def test_pages_fit_a_phone(product, page, scene):
    await scene.assign(scene.ana)
    await page.set_viewport_size({"width": 360, "height": 740})
    for path in ("/", scene.path, "/my-work", "/statistics"):
        await product.sign_in(page, Role.DISPATCHER, at=path)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await assert_fits(page, 360)


async def test_the_chosen_theme_is_kept(product, page):
    await product.sign_in(page, Role.AUDITOR)
    color_scheme = "getComputedStyle(document.documentElement).colorScheme"
    assert await page.evaluate(color_scheme) == "light dark"
    await page.get_by_label("Theme").select_option("Dark")
    await page.reload()
    await expect(page.get_by_label("Theme")).to_have_value("dark")
    assert await page.evaluate(color_scheme) == "dark"


async def test_keys_open_the_pages_and_the_list_of_shortcuts(product, page):
    await product.sign_in(page, Role.AUDITOR)
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    await expect(dialog).to_contain_text("Escalate")
    await assert_accessible(page)
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await press(page, "g", "s")
    await expect(page).to_have_url(f"{product.url}/statistics")
    await expect(page.locator("main")).to_be_focused()
    await press(page, "g", "t")
    await expect(page).to_have_url(f"{product.url}/")


async def test_the_skip_link_focuses_the_content(product, page):
    await product.sign_in(page, Role.AUDITOR)
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await press(page, "Tab", "Enter")
    await expect(page.locator("main")).to_be_focused()


async def test_a_failed_query_is_shown_and_can_be_retried(product, page, browser_errors):
    browser_errors.allow("500")
    await product.sign_in(page, Role.AUDITOR, at="/statistics")
    await expect_live(page)
    error = {"message": "Something went wrong on our side; error 1.", "extensions": {"code": "INTERNAL"}}
    await page.route("**/graphql", lambda route: route.fulfill(status=500, json={"errors": [error]}))
    await page.get_by_role("link", name="Tickets").click()
    await expect(page.get_by_role("alert")).to_contain_text("Something went wrong on our side")
    await assert_accessible(page)
    await page.unroute("**/graphql")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("row").nth(1)).to_be_visible()


async def test_the_signed_in_person_is_shown_and_can_sign_out(product, page, scene):
    await product.sign_in(page, Role.ENGINEER, scene.ana)
    await expect(page.get_by_role("banner")).to_contain_text(re.compile("Engineer.*Ana"))
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to Baton")
    assert await page.evaluate("Object.keys(sessionStorage)") == []


async def test_an_exception_in_a_page_is_shown(product, page, scene, browser_errors):
    browser_errors.allow("JSON")
    await product.sign_in(page, Role.ENGINEER, scene.ana)
    await page.evaluate(f"localStorage.setItem('baton.outbox engineer:{scene.ana}', 'no JSON')")
    await page.reload()
    await expect(page.get_by_role("alert")).to_contain_text("That did not work.")
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()
    assert browser_errors.messages
