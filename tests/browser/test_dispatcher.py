"""A dispatcher's day, with the keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from app.commands.complete import CompleteAssignment, complete_assignment
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.run import run
from app.commands.start import StartAssignment, start_assignment
from app.domain.model import CompletionStatus, PartUsed, Role
from tests.browser.conftest import assert_accessible
from tests.browser.scene import new_scene
from tests.factories import DISPATCHER


@pytest.fixture
async def scene(product):
    return await new_scene(product.make)


async def test_a_ticket_is_found_given_out_taken_up_handed_over_and_taken_back(product, page, scene):
    dialog = page.get_by_role("dialog")
    history = page.get_by_role("article")
    mark = scene.mark

    async def send(reason):
        await dialog.get_by_label("Reason").fill(reason)
        await page.keyboard.press("Control+Enter")
        await expect(dialog).to_have_count(0)

    await product.sign_in(page, Role.DISPATCHER)
    await page.get_by_label("Held", exact=True).select_option("Unassigned only")
    await page.locator("body").press("/")
    await page.keyboard.type(mark)
    await expect(page.get_by_role("row")).to_have_count(2)
    await page.keyboard.press("Escape")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Noise · Ring scanner")
    await expect(page.get_by_text("No assignments yet.")).to_be_visible()
    await expect(page).to_have_title(re.compile(scene.number))

    await page.keyboard.press("a")
    first = dialog.get_by_role("radio").first
    await expect(first).to_be_checked()
    await expect(dialog.locator(".choices label").first).to_contain_text(f"knows {scene.kind}")
    await assert_accessible(page)
    await send("Lives next door")
    await expect(page.get_by_text("Ticket assigned")).to_be_visible()
    await expect(history).to_have_count(1)
    await expect(history).to_contain_text(
        re.compile(rf"#1 Ana {mark}.*Tier 1, OEM.*Current.*Lives next door")
    )

    await page.keyboard.press("e")
    await expect(dialog.get_by_label("Tier")).to_have_value("2")
    await expect(dialog.get_by_role("radio").first).to_be_checked()
    await expect(dialog.locator(".choices label").first).to_contain_text(f"Ben {mark}")
    await expect(dialog.locator(".choices label").filter(has_text=f"Ana {mark}")).to_have_count(0)
    await send("Needs the maker's tool")
    await expect(history.nth(0)).to_contain_text(
        re.compile(r"Escalated.*Why escalated.*Needs the maker's tool")
    )
    await expect(history.nth(1)).to_contain_text(re.compile(rf"#2 Ben {mark}.*Tier 2, Dealer.*Current"))

    await page.keyboard.press("r")
    await dialog.get_by_role("searchbox", name="Find by name").fill(f"cleo {mark}")
    await send("Ben is ill")
    await expect(history.nth(1)).to_contain_text(re.compile("Cancelled.*Why cancelled.*Ben is ill"))
    await expect(history.nth(2)).to_contain_text(re.compile(rf"#3 Cleo {mark}.*Current"))

    await page.keyboard.press("x")
    await send("The customer repaired it")
    await expect(history.nth(2)).to_contain_text("The customer repaired it")
    await expect(page.get_by_text("Current", exact=True)).to_have_count(0)
    await expect(page.get_by_role("button", name="Assign")).to_be_visible()
    await assert_accessible(page)

    await page.keyboard.press("u")
    await expect(page.get_by_label("Search tickets")).to_have_value(mark)


async def test_the_history_tells_all_that_happened(product, page, scene):
    await scene.assign(scene.ana)
    escalate = EscalateTicket(ticket_id=scene.ticket, reason="Too hard", next_engineer_id=scene.ben)
    second = await run(product.make.db, DISPATCHER, escalate_ticket, escalate)
    await run(product.make.db, DISPATCHER, start_assignment, StartAssignment(assignment_id=second.id))
    done = CompleteAssignment(
        assignment_id=second.id,
        completion_status=CompletionStatus.SUCCESS,
        time_spent_hours="0",
        diagnosis="A loose belt",
        actions_taken="Tightened it",
        notes="Check it in a year",
        parts_used=(PartUsed("B-7", "Belt", 2, "19.9"),),
    )
    await run(product.make.db, DISPATCHER, complete_assignment, done)
    await product.sign_in(page, Role.DISPATCHER, at=scene.path)

    entry = page.get_by_role("article").nth(1)
    for said in (
        "Success",
        "0 h",
        "A loose belt",
        "Tightened it",
        "Check it in a year",
        "Belt B-7",
        "19.90 each",
    ):
        await expect(entry).to_contain_text(said)
    await expect(page.get_by_text("Current", exact=True)).to_have_count(0)
    times = entry.locator("time")
    await expect(times.first).to_have_attribute("datetime", re.compile(r"^\d{4}-\d\d-\d\dT"))
    await expect(times.first).to_have_attribute("title", re.compile(r"\d{4}"))
    await expect(page.get_by_text("1 escalation · 0 h in all")).to_be_visible()

    await page.keyboard.press("t")
    await page.get_by_role("radio", name="4").check()
    await page.get_by_label("The customer's words").fill("Quick and kind")
    await page.keyboard.press("Control+Enter")
    await expect(entry.get_by_role("img", name="4 of 5")).to_be_visible()
    await expect(entry).to_contain_text("Quick and kind")
    await assert_accessible(page)


async def test_a_wrong_value_is_marked_at_its_field_and_nothing_typed_is_lost(product, page, scene):
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


async def test_the_filters_are_the_address(product, page, scene):
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


async def test_those_that_nobody_holds_come_first(product, page):
    await product.sign_in(page, Role.DISPATCHER, at="/?held=first")
    held = page.locator("tbody tr td:nth-child(4)")
    await expect(held.first).to_have_text("Nobody")
    while await page.get_by_role("button", name="Show more").count():
        before = await held.count()
        await page.get_by_role("button", name="Show more").click()
        await expect(held.nth(before)).to_be_visible()
    shown = [text == "Nobody" for text in await held.all_inner_texts()]
    assert shown == sorted(shown, reverse=True)
    assert not all(shown)


async def test_an_auditor_is_offered_nothing(product, page, scene):
    await scene.assign(scene.ana)
    await product.sign_in(page, Role.AUDITOR, at=scene.path)
    await expect(page.get_by_role("article")).to_have_count(1)
    await expect(page.locator(".actions button")).to_have_count(0)
    await page.keyboard.press("x")
    await expect(page.get_by_role("dialog")).to_have_count(0)
