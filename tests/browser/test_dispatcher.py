"""A dispatcher assigns, escalates, reassigns and cancels with the keyboard."""

import re

from playwright.async_api import expect

from app.domain.model import PartUsed, Role
from tests.browser.conftest import assert_accessible, press


async def test_a_ticket_is_found_assigned_escalated_reassigned_and_cancelled(product, page, scene):
    dialog = page.get_by_role("dialog")
    history = page.get_by_role("article")
    suffix = scene.suffix

    async def send(reason):
        await dialog.get_by_label("Reason").fill(reason)
        await page.keyboard.press("Control+Enter")
        await expect(dialog).to_have_count(0)

    await product.sign_in(page, Role.DISPATCHER)
    await page.get_by_label("Assignment", exact=True).select_option("Unassigned only")
    await page.locator("body").press("/")
    await page.keyboard.type(suffix)
    await expect(page.get_by_role("row")).to_have_count(2)
    await press(page, "Escape", "j", "Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Noise · Ring scanner")
    await expect(page.get_by_text("No assignments yet.")).to_be_visible()
    await expect(page).to_have_title(re.compile(scene.number))

    await page.keyboard.press("a")
    first = dialog.get_by_role("radio").first
    await expect(first).to_be_checked()
    await expect(dialog.locator(".choices label").first).to_contain_text(f"skill {scene.skill}")
    await assert_accessible(page)
    await send("Nearest to the site")
    await expect(page.get_by_text("Ticket assigned")).to_be_visible()
    await expect(history).to_have_count(1)
    await expect(history).to_contain_text(
        re.compile(rf"#1 Ana {suffix}.*Tier 1, OEM.*Current.*Nearest to the site")
    )

    await page.keyboard.press("e")
    await expect(dialog.get_by_label("Tier")).to_have_value("2")
    await expect(dialog.get_by_role("radio").first).to_be_checked()
    await expect(dialog.locator(".choices label").first).to_contain_text(f"Ben {suffix}")
    await expect(dialog.locator(".choices label").filter(has_text=f"Ana {suffix}")).to_have_count(0)
    await send("Needs the manufacturer's tool")
    await expect(history.nth(0)).to_contain_text(
        re.compile(r"Escalated.*Why escalated.*Needs the manufacturer's tool")
    )
    await expect(history.nth(1)).to_contain_text(re.compile(rf"#2 Ben {suffix}.*Tier 2, Dealer.*Current"))

    await page.keyboard.press("r")
    await dialog.get_by_role("searchbox", name="Find by name").fill(f"cleo {suffix}")
    await send("Ben is ill")
    await expect(history.nth(1)).to_contain_text(re.compile("Cancelled.*Why cancelled.*Ben is ill"))
    await expect(history.nth(2)).to_contain_text(re.compile(rf"#3 Cleo {suffix}.*Current"))

    await page.keyboard.press("x")
    await send("The customer repaired it")
    await expect(history.nth(2)).to_contain_text("The customer repaired it")
    await expect(page.get_by_text("Current", exact=True)).to_have_count(0)
    await expect(page.get_by_role("button", name="Assign")).to_be_visible()
    await assert_accessible(page)

    await page.keyboard.press("u")
    await expect(page.get_by_label("Search tickets")).to_have_value(suffix)


async def test_the_history_shows_the_whole_assignment(product, page, scene):
    await scene.assign(scene.ana)
    second = await scene.hand_over("escalate", next_engineer_id=scene.ben)
    report = {"diagnosis": "A loose belt", "actions_taken": "Tightened it", "notes": "Check it in a year"}
    await scene.world.complete(second, "0", parts_used=(PartUsed("B-7", "Belt", 2, "19.9"),), **report)
    await product.sign_in(page, Role.DISPATCHER, at=scene.path)

    entry = page.get_by_role("article").nth(1)
    for text in ("Success", "0 h", *report.values(), "Belt B-7", "19.90 each"):
        await expect(entry).to_contain_text(text)
    await expect(page.get_by_text("Current", exact=True)).to_have_count(0)
    times = entry.locator("time")
    await expect(times.first).to_have_attribute("datetime", re.compile(r"^\d{4}-\d\d-\d\dT"))
    await expect(times.first).to_have_attribute("title", re.compile(r"\d{4}"))
    await expect(page.get_by_text("1 escalation · 0 h in total")).to_be_visible()

    await page.keyboard.press("t")
    await page.get_by_role("radio", name="4").check()
    await page.get_by_label("Customer feedback").fill("Quick and kind")
    await page.keyboard.press("Control+Enter")
    await expect(entry.get_by_role("img", name="4 of 5")).to_be_visible()
    await expect(entry).to_contain_text("Quick and kind")
    await assert_accessible(page)


async def test_an_invalid_value_is_marked_and_kept(product, page, scene):
    await scene.assign(scene.ana)
    await product.sign_in(page, Role.DISPATCHER, at=scene.path)
    await page.get_by_role("button", name="Cancel").click()
    reason = page.get_by_label("Reason")
    await reason.fill("   ")
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_role("alert")).to_have_text("Reason must not be empty.")
    await expect(reason).to_have_attribute("aria-invalid", "true")
    await expect(reason).to_have_value("   ")
    await assert_accessible(page)
    await page.get_by_role("button", name="Close").click()
    await expect(page.get_by_role("button", name="Cancel")).to_be_focused()


async def test_filters_are_in_the_address(product, page, scene):
    await scene.assign(scene.cleo)
    await product.sign_in(page, Role.DISPATCHER, at="/?status=ALL")
    more = page.get_by_role("button", name="Show more")
    await expect(more).to_contain_text(re.compile(r"25 of \d+"))
    await more.click()
    await expect(page.get_by_role("row")).to_have_count(51)

    await page.get_by_role("button", name="Assigned").click()
    await page.get_by_label("Tier").select_option("1 OEM")
    await page.get_by_label("Engineer").select_option(str(scene.cleo))
    await expect(page.get_by_role("row")).to_have_count(2)
    await page.reload()
    await expect(page.get_by_role("row")).to_have_count(2)
    await expect(page.get_by_role("row").nth(1)).to_contain_text(scene.number)
    await page.get_by_label("Tier").select_option("5 Hospital")
    await page.get_by_role("link", name="Clear the filters").click()
    await expect(page).to_have_url(f"{product.url}/")


async def test_unassigned_tickets_come_first(product, page):
    await product.sign_in(page, Role.DISPATCHER, at="/?unassigned=first")
    assignees = page.locator("tbody tr td:nth-child(4)")
    await expect(assignees.first).to_have_text("Unassigned")
    while await page.get_by_role("button", name="Show more").count():
        before = await assignees.count()
        await page.get_by_role("button", name="Show more").click()
        await expect(assignees.nth(before)).to_be_visible()
    is_unassigned = [text == "Unassigned" for text in await assignees.all_inner_texts()]
    assert is_unassigned == sorted(is_unassigned, reverse=True)
    assert not all(is_unassigned)


async def test_an_auditor_sees_no_actions(product, page, scene):
    await scene.assign(scene.ana)
    await product.sign_in(page, Role.AUDITOR, at=scene.path)
    await expect(page.get_by_role("article")).to_have_count(1)
    await expect(page.locator(".actions button")).to_have_count(0)
    await page.keyboard.press("x")
    await expect(page.get_by_role("dialog")).to_have_count(0)
