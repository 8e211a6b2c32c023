"""Several windows on one ticket: live updates, conflicts and lost responses."""

import asyncio
import json
import re
import time
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from app.domain.model import Role
from app.graphql.admission.trusted_documents import TrustedDocuments
from tests.apps import make_app
from tests.browser.conftest import Product, assert_accessible, assign_next, expect_live
from tests.browser.scene import new_scene, operation_of
from tests.factories import Factories
from tests.serving import serving


async def test_other_windows_show_a_change_at_once(product, context, page, scene):
    await scene.assign(scene.ana)
    await product.sign_in(page, Role.DISPATCHER, at=scene.path)
    ticket, tickets = await context.new_page(), await context.new_page()
    await product.sign_in(ticket, Role.AUDITOR, at=scene.path)
    await product.sign_in(tickets, Role.AUDITOR, at=f"/?q={scene.number}")
    for window in (page, ticket, tickets):
        await expect_live(window)
    await expect(page.get_by_role("article")).to_have_count(1)
    row = tickets.get_by_role("row").nth(1)
    await expect(row).to_contain_text("Ana")

    await assign_next(page, "e", "Needs the manufacturer's tool")
    await expect(ticket.get_by_text("Needs the manufacturer's tool").first).to_be_visible()
    await expect(ticket.get_by_role("article").nth(1)).to_contain_text("Current")
    await expect(row).to_contain_text("Ben")
    await expect(row).to_have_class("highlighted")


@pytest.fixture
async def own_scene(fresh_db):
    """A ticket assigned to Ana in a database of its own."""
    scene = await new_scene(Factories(fresh_db))
    await scene.assign(scene.ana)
    return scene


@pytest.fixture
def serve(fresh_url, own_scene, allowed_hosts):
    """Serves an application on the database of `own_scene`."""

    @asynccontextmanager
    async def serve(*, port=0, **options):
        async with serving(make_app(fresh_url, **options), port=port) as served:
            product = Product(f"http://127.0.0.1:{served.port}", own_scene.make)
            allowed_hosts.add(urlsplit(product.url).netloc)
            yield product

    return serve


async def test_no_event_is_missed_during_a_server_restart(serve, own_scene, page, browser_errors):
    browser_errors.allow("WebSocket", "net::ERR_")
    scene = own_scene
    sent, event_received = [], asyncio.Event()

    def on_websocket(socket):
        socket.on("framesent", lambda frame: sent.append(json.loads(frame)))
        socket.on("framereceived", lambda frame: event_received.set() if '"next"' in frame else None)

    page.on("websocket", on_websocket)
    async with serve() as product:
        await product.sign_in(page, Role.DISPATCHER, at=scene.path)
        await expect_live(page)
        await expect(page.get_by_role("article")).to_have_count(1)
        await assign_next(page, "e", "Needs the manufacturer's tool")
        await expect(page.get_by_role("article")).to_have_count(2)
        await event_received.wait()
    await expect(page.get_by_text("Reconnecting…")).to_be_visible()

    await scene.hand_over("reassign", engineer_id=scene.cleo, reason="During the restart")
    sent.clear()
    started = time.monotonic()
    async with serve(port=urlsplit(product.url).port):
        await expect_live(page)
        print(f"live again after {time.monotonic() - started:.1f} s")  # noqa: T201
        await expect(page.get_by_role("article").nth(2)).to_contain_text("During the restart")
        [subscribe] = [message["payload"] for message in sent if message["type"] == "subscribe"]
        assert subscribe["variables"]["afterCursor"]


@pytest.fixture
async def stale_page(context):
    """A window without live updates: it shows the state at the time when it was loaded."""
    page = await context.new_page()
    await page.route_web_socket("**/graphql", lambda socket: socket.close())
    return page


async def test_a_conflict_is_shown_and_can_be_overridden(product, page, stale_page, scene):
    await scene.assign(scene.ana)
    for window in (page, stale_page):
        await product.sign_in(window, Role.DISPATCHER, at=scene.path)
        await expect(window.get_by_role("article")).to_have_count(1)
    await assign_next(page, "e", "I was first")
    await expect(page.get_by_role("article")).to_have_count(2)
    await assign_next(stale_page, "r", "I was second", engineer=f"Cleo {scene.suffix}")

    await expect(stale_page.get_by_role("alert")).to_contain_text(
        re.compile(r"Assigned to Ben .*#2, Dealer.*assigned just now.*I was first")
    )
    await expect(stale_page.get_by_role("dialog").get_by_label("Reason")).to_have_value("I was second")
    await assert_accessible(stale_page)
    await stale_page.get_by_role("button", name="Reassign anyway").click()
    await expect(stale_page.get_by_role("article").nth(2)).to_contain_text(
        re.compile("#3 Cleo .*Tier 2.*Current")
    )
    await expect(page.get_by_role("article").nth(2)).to_contain_text("I was second")


async def test_an_open_form_shows_a_change_before_it_is_sent(product, context, page, scene):
    other = await context.new_page()
    for window in (page, other):
        await product.sign_in(window, Role.DISPATCHER, at=scene.path)
        await expect_live(window)
        await window.get_by_role("button", name="Assign").click()
    await page.keyboard.press("Control+Enter")
    await expect(other.get_by_role("alert")).to_contain_text("Assign is no longer possible.")
    await other.get_by_label("Reason").fill("Better placed")
    await other.get_by_role("button", name="Reassign instead").click()
    await other.get_by_role("button", name="Reassign anyway").click()
    await expect(other.get_by_role("article").nth(1)).to_contain_text("Better placed")


async def test_an_action_that_is_no_longer_possible_can_only_be_closed(product, stale_page, scene):
    assigned = await scene.assign(scene.ana)
    await product.sign_in(stale_page, Role.DISPATCHER, at=scene.path)
    await expect(stale_page.get_by_role("button", name="Accept")).to_be_visible()
    await scene.world.act("start", assigned)
    await stale_page.keyboard.press("y")
    await expect(stale_page.get_by_role("alert")).to_contain_text(
        "Accept is no longer possible. Close the form to leave the ticket as it is."
    )
    await stale_page.get_by_role("button", name="Close").click()
    await expect(stale_page.get_by_role("button", name="Complete")).to_be_visible()
    await expect(stale_page.get_by_role("button", name="Accept")).to_have_count(0)


async def test_a_mutation_with_a_lost_response_is_retried_and_runs_once(product, page, scene, browser_errors):
    browser_errors.allow("net::ERR_")
    await product.sign_in(page, Role.DISPATCHER, at=scene.path)
    lost = []

    async def lose_the_first_response(route):
        if operation_of(route.request) == "mutation AssignTicket" and not lost:
            lost.append(await route.fetch())
            await route.abort()
        else:
            await route.continue_()

    await page.route("**/graphql", lose_the_first_response)
    await page.get_by_role("button", name="Assign").click()
    await expect(page.get_by_role("radio").first).to_be_checked()
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_text("Ticket assigned")).to_be_visible()
    await expect(page.get_by_role("article")).to_have_count(1)
    assert lost


async def test_the_pages_work_if_only_trusted_documents_are_allowed(serve, own_scene, page):
    scene = own_scene
    async with serve(documents=TrustedDocuments(only=True)) as product:
        await product.sign_in(page, Role.ENGINEER, scene.ana, at="/my-work")
        await page.get_by_role("button", name="Accept").click()
        await expect(page.get_by_role("button", name="Start")).to_be_visible()
        await page.goto(f"{product.url}{scene.path}")
        await expect_live(page)
        await expect(page.get_by_role("article")).to_have_count(1)
        await scene.hand_over("reassign", engineer_id=scene.cleo)
        await expect(page.get_by_role("article")).to_have_count(2)
        # The server rejects the text of an unknown document, which a page of an older version may send.
        response = await page.request.post(f"{product.url}/graphql", data={"query": "{ viewer { subject } }"})
        assert (await response.json())["errors"][0]["extensions"]["code"] == "DOCUMENT_NOT_TRUSTED"
