"""Every page: its states, its two colour schemes, and its keys."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from app.domain.model import Role
from tests.browser.conftest import assert_accessible
from tests.browser.scene import new_scene


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("/", "Tickets"),
        ("/?q=nothing-is-called-so", "Tickets"),
        ("/tickets/none", "There is no such ticket"),
        ("/my-work", "My work"),
        ("/statistics", "Statistics"),
    ],
)
async def test_everybody_can_use_the_page(product, page, path, heading):
    await product.sign_in(page, Role.DISPATCHER, at=path)
    await expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
    await expect(page.get_by_role("status", name="Loading")).to_have_count(0)
    await expect(page).to_have_title(re.compile("Baton$"))
    await assert_accessible(page)


async def test_a_page_is_as_wide_as_a_phone(product, page):
    scene = await new_scene(product.make)
    await scene.assign(scene.ana)
    await page.set_viewport_size({"width": 360, "height": 740})
    for path in ("/", scene.path, "/my-work", "/statistics"):
        await product.sign_in(page, Role.DISPATCHER, at=path)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path


async def test_the_theme_is_chosen_and_kept(product, page):
    await product.sign_in(page, Role.AUDITOR)
    seen = "getComputedStyle(document.documentElement).colorScheme"
    assert await page.evaluate(seen) == "light dark"
    await page.get_by_label("Theme").select_option("Dark")
    await page.reload()
    await expect(page.get_by_label("Theme")).to_have_value("dark")
    assert await page.evaluate(seen) == "dark"


async def test_keys_lead_to_the_pages_and_say_which_they_are(product, page):
    await product.sign_in(page, Role.AUDITOR)
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    await expect(dialog).to_contain_text("Escalate")
    await assert_accessible(page)
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await page.keyboard.press("g")
    await page.keyboard.press("s")
    await expect(page).to_have_url(f"{product.url}/statistics")
    await expect(page.locator("main")).to_be_focused()
    await page.keyboard.press("g")
    await page.keyboard.press("t")
    await expect(page).to_have_url(f"{product.url}/")


async def test_content_can_be_reached_at_once(product, page):
    await product.sign_in(page, Role.AUDITOR)
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()


async def test_what_does_not_come_says_so_and_comes_on_the_second_try(product, page, problems):
    problems.expect("500")
    await product.sign_in(page, Role.AUDITOR, at="/statistics")
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    fault = {"message": "Something went wrong on our side; error 1.", "extensions": {"code": "INTERNAL"}}
    await page.route("**/graphql", lambda route: route.fulfill(status=500, json={"errors": [fault]}))
    await page.get_by_role("link", name="Tickets").click()
    await expect(page.get_by_role("alert")).to_contain_text("Something went wrong on our side")
    await assert_accessible(page)
    await page.unroute("**/graphql")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("row").nth(1)).to_be_visible()


async def test_who_is_signed_in_is_named_and_can_leave(product, page):
    scene = await new_scene(product.make)
    await product.sign_in(page, Role.ENGINEER, scene.ana)
    await expect(page.get_by_role("banner")).to_contain_text(re.compile("Engineer.*Ana"))
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to Baton")
    assert await page.evaluate("Object.keys(sessionStorage)") == []


async def test_a_page_that_goes_wrong_itself_is_not_left_empty(product, page, problems):
    problems.expect("JSON")
    scene = await new_scene(product.make)
    await product.sign_in(page, Role.ENGINEER, scene.ana)
    await page.evaluate(f"localStorage.setItem('baton.outbox engineer:{scene.ana}', 'no JSON')")
    await page.reload()
    await expect(page.get_by_role("alert")).to_contain_text("That did not work.")
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()
    assert problems.heard
