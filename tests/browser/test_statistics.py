"""The statistics page: its figures, its filters in the address, and its CSV files."""

import asyncio
import csv
import io
import re
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from app.domain.model import Role
from tests.browser.conftest import assert_fits


def card(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name=title, exact=True)


async def rows(page: Page, title: str) -> list[list[str]]:
    """The texts of the cells, without the header."""
    table = card(page, title).get_by_role("table")
    return await table.evaluate(
        "table => [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => cell.innerText))"
    )


@pytest.fixture
async def scene(scene):
    """Ana escalates the ticket to Ben, who rejects it; a spreadsheet would run his reason as a formula."""
    await scene.assign(scene.ana)
    escalated = await scene.hand_over("escalate", next_engineer_id=scene.ben)
    await scene.world.act("reject", escalated, reason='=HYPERLINK("//x", "y")')
    return scene


async def test_a_dispatcher_sees_all_figures(product, page, scene):
    await product.sign_in(page, Role.DISPATCHER, at="/statistics")
    await expect(page.get_by_role("definition")).to_have_count(4)
    await expect(page.get_by_text("of tickets were escalated")).to_be_visible()
    assert len(await rows(page, "Day by day")) == 30
    assert len(await rows(page, "Engineers")) > 10
    await expect(page.get_by_role("region")).to_have_count(9)
    for width in (1200, 360):
        await page.set_viewport_size({"width": width, "height": 740})
        await assert_fits(page, width)


async def test_filters_are_in_the_address(product, page, scene):
    await product.sign_in(page, Role.DISPATCHER, at="/statistics")
    await page.get_by_label("Engineer", exact=True).select_option(f"Ana {scene.suffix}")
    await expect(page).to_have_url(re.compile(f"engineer={scene.ana}"))
    await expect(card(page, "Engineers").get_by_role("row")).to_have_count(2)
    assert await rows(page, "Escalations from tier to tier") == [["1 OEM", "2 Dealer", "1", "0"]]
    await page.get_by_label("Tier", exact=True).select_option("2 Dealer")
    await expect(card(page, "Engineers")).to_contain_text("No data in this period.")
    await page.get_by_label("Tier", exact=True).select_option("Any tier")
    await page.get_by_label("Group by", exact=True).select_option("By week")
    await expect(card(page, "Week by week")).to_be_visible()
    await page.get_by_label("Customer", exact=True).fill("No such hospital")
    await page.get_by_label("Customer", exact=True).press("Enter")
    await expect(card(page, "Outcomes")).to_contain_text("No data in this period.")
    await page.reload()
    await expect(page.get_by_label("Customer", exact=True)).to_have_value("No such hospital")
    await expect(page.get_by_label("Group by", exact=True)).to_have_value("WEEK")
    await expect(card(page, "Outcomes")).to_contain_text("No data in this period.")
    await page.get_by_role("link", name="Reset to the last 30 days").click()
    await expect(page).to_have_url(f"{product.url}/statistics")
    assert len(await rows(page, "Engineers")) > 10


async def test_dates_in_the_wrong_order_are_rejected(product, page):
    await product.sign_in(page, Role.AUDITOR, at="/statistics?from=2026-03-02&to=2026-03-01")
    await expect(page.get_by_role("alert")).to_contain_text("must be later than from")
    await page.get_by_label("To", exact=True).fill("2026-03-08")
    await page.get_by_label("To", exact=True).press("Enter")
    assert [row[0] for row in await rows(page, "Day by day")] == [f"2026-03-0{day}" for day in range(2, 9)]


async def test_a_csv_file_contains_no_formula(product, page, scene):
    await product.sign_in(page, Role.DISPATCHER, at=f"/statistics?engineer={scene.ben}")
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Download Rejections by reason as CSV").click()
    download = await downloading.value
    assert re.fullmatch(r"Rejections by reason, \S+ to \S+\.csv", download.suggested_filename)
    text = (await asyncio.to_thread(Path(await download.path()).read_bytes)).decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text))) == [
        ["Reason", "Assignments"],
        ['\'=HYPERLINK("//x", "y")', "1"],
    ]


async def test_an_engineer_sees_only_their_own_figures(product, page, scene):
    await product.sign_in(page, Role.ENGINEER, scene.ana, at="/statistics")
    [own] = await rows(page, "Engineers")
    assert own[0] == f"Ana {scene.suffix}"
    await expect(page.get_by_label("Engineer", exact=True)).to_have_count(0)
