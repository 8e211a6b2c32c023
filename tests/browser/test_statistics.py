"""The statistics page: what it tells, its filters in the address, and its tables as files."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.reject import RejectAssignment, reject_assignment
from app.commands.run import run
from app.domain.model import Role
from tests.browser.conftest import assert_accessible
from tests.browser.scene import new_scene
from tests.factories import DISPATCHER

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page


def card(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name=title, exact=True)


async def rows(page: Page, title: str) -> list[list[str]]:
    table = card(page, title).get_by_role("table")
    await expect(table).to_be_visible()
    return [
        await row.get_by_role("cell").all_inner_texts() for row in (await table.get_by_role("row").all())[1:]
    ]


@pytest.fixture
async def told(product):
    """Ana hands a ticket up to Ben, who declines it for a reason that a spreadsheet would run."""
    scene = await new_scene(product.make)
    await scene.assign(scene.ana)
    command = EscalateTicket(ticket_id=scene.ticket, reason="x", next_engineer_id=scene.ben)
    held = await run(product.make.db, DISPATCHER, escalate_ticket, command)
    reject = RejectAssignment(assignment_id=held.id, reason='=HYPERLINK("//x", "y")')
    await run(product.make.db, DISPATCHER, reject_assignment, reject)
    return scene


async def test_a_dispatcher_reads_what_happened(product, page, told):
    await product.sign_in(page, Role.DISPATCHER, at="/statistics")
    await expect(page.get_by_role("definition")).to_have_count(4)
    await expect(page.get_by_text("of tickets went up")).to_be_visible()
    assert len(await rows(page, "Day by day")) == 30
    assert len(await rows(page, "Engineers")) > 10
    await expect(page.get_by_role("region")).to_have_count(9)
    await assert_accessible(page)
    for width in (1200, 360):
        await page.set_viewport_size({"width": width, "height": 740})
        assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_what_is_asked_for_stands_in_the_address(product, page, told):
    await product.sign_in(page, Role.DISPATCHER, at="/statistics")
    await page.get_by_label("Engineer", exact=True).select_option(f"Ana {told.mark}")
    await expect(page).to_have_url(re.compile(f"engineer={told.ana}"))
    await expect(card(page, "Engineers").get_by_role("row")).to_have_count(2)
    assert await rows(page, "Escalations from tier to tier") == [["1 OEM", "2 Dealer", "1", "0"]]
    await page.get_by_label("Tier", exact=True).select_option("2 Dealer")
    await expect(card(page, "Engineers")).to_contain_text("Nothing in this period.")
    await page.get_by_label("Tier", exact=True).select_option("Any tier")
    await page.get_by_label("Parts", exact=True).select_option("By week")
    await expect(card(page, "Week by week")).to_be_visible()
    await page.get_by_label("Customer", exact=True).fill("Nobody's hospital")
    await page.get_by_label("Customer", exact=True).press("Enter")
    await expect(card(page, "Outcomes")).to_contain_text("Nothing in this period.")
    await page.reload()
    await expect(page.get_by_label("Customer", exact=True)).to_have_value("Nobody's hospital")
    await expect(page.get_by_label("Parts", exact=True)).to_have_value("WEEK")
    await expect(card(page, "Outcomes")).to_contain_text("Nothing in this period.")
    await page.get_by_role("link", name="The last 30 days of everything").click()
    await expect(page).to_have_url(f"{product.url}/statistics")
    assert len(await rows(page, "Engineers")) > 10


async def test_days_that_stand_in_the_wrong_order_are_refused_in_words(product, page, problems):
    await product.sign_in(page, Role.AUDITOR, at="/statistics?from=2026-03-02&to=2026-03-01")
    await expect(page.get_by_role("alert")).to_contain_text("must be later than from")
    await page.get_by_label("To", exact=True).fill("2026-03-08")
    await page.get_by_label("To", exact=True).press("Enter")
    assert [row[0] for row in await rows(page, "Day by day")] == [f"2026-03-0{day}" for day in range(2, 9)]


async def test_a_table_is_saved_without_a_formula(product, page, told):
    await product.sign_in(page, Role.DISPATCHER, at=f"/statistics?engineer={told.ben}")
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Download Rejections by reason as CSV").click()
    download = await downloading.value
    assert re.fullmatch(r"Rejections by reason, \S+ to \S+\.csv", download.suggested_filename)
    text = (await asyncio.to_thread(Path(await download.path()).read_bytes)).decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text))) == [
        ["Reason", "Assignments"],
        ['\'=HYPERLINK("//x", "y")', "1"],
    ]


async def test_an_engineer_reads_of_own_work_only(product, page, told):
    await product.sign_in(page, Role.ENGINEER, told.ana, at="/statistics")
    [own] = await rows(page, "Engineers")
    assert own[0] == f"Ana {told.mark}"
    await expect(page.get_by_label("Engineer", exact=True)).to_have_count(0)
