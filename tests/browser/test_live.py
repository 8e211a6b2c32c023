"""Several windows on one ticket: who changes it, who follows, and what becomes of two wishes at once."""

from __future__ import annotations

import asyncio
import json
import re
import time
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from app.commands.reassign import ReassignTicket, reassign_ticket
from app.commands.run import run
from app.commands.start import StartAssignment, start_assignment
from app.domain.model import Role
from app.graphql.admission.trusted_documents import TrustedDocuments
from tests.apps import make_app
from tests.browser.conftest import Product, assert_accessible
from tests.browser.scene import new_scene, operation_in
from tests.factories import DISPATCHER, Factories
from tests.serving import serving


@pytest.fixture
async def scene(product):
    return await new_scene(product.make)


async def escalate(page, reason):
    await page.keyboard.press("e")
    await expect(page.get_by_role("radio").first).to_be_checked()
    await page.get_by_role("dialog").get_by_label("Reason").fill(reason)
    await page.keyboard.press("Control+Enter")


async def test_a_second_window_follows(product, context, page, scene):
    await scene.assign(scene.ana)
    await product.sign_in(page, Role.DISPATCHER, at=scene.path)
    ticket, tickets = await context.new_page(), await context.new_page()
    await product.sign_in(ticket, Role.AUDITOR, at=scene.path)
    await product.sign_in(tickets, Role.AUDITOR, at=f"/?q={scene.number}")
    for window in (page, ticket, tickets):
        await expect(window.get_by_text("Live", exact=True)).to_be_visible()
    await expect(page.get_by_role("article")).to_have_count(1)
    row = tickets.get_by_role("row").nth(1)
    await expect(row).to_contain_text("Ana")

    await escalate(page, "Needs the maker's tool")
    await expect(ticket.get_by_text("Needs the maker's tool").first).to_be_visible()
    await expect(ticket.get_by_role("article").nth(1)).to_contain_text("Current")
    await expect(row).to_contain_text("Ben")
    await expect(row).to_have_class("fresh")


async def test_after_a_restart_of_the_server_nothing_is_missed(fresh_url, fresh_db, page, hosts, problems):
    problems.expect("WebSocket", "net::ERR_")
    scene = await new_scene(Factories(fresh_db))
    await scene.assign(scene.ana)
    sent, told = [], asyncio.Event()

    def listen(socket):
        socket.on("framesent", lambda frame: sent.append(json.loads(frame)))
        socket.on("framereceived", lambda frame: told.set() if '"next"' in frame else None)

    page.on("websocket", listen)
    async with serving(make_app(fresh_url)) as served:
        product = Product(f"http://127.0.0.1:{served.port}", scene.make)
        hosts.add(urlsplit(product.url).netloc)
        await product.sign_in(page, Role.DISPATCHER, at=scene.path)
        await expect(page.get_by_text("Live", exact=True)).to_be_visible()
        await expect(page.get_by_role("article")).to_have_count(1)
        await escalate(page, "Needs the maker's tool")
        await expect(page.get_by_role("article")).to_have_count(2)
        await told.wait()
    await expect(page.get_by_text("Reconnecting…")).to_be_visible()

    command = ReassignTicket(ticket_id=scene.ticket, engineer_id=scene.cleo, reason="While nobody looked")
    await run(fresh_db, DISPATCHER, reassign_ticket, command)
    sent.clear()
    began = time.monotonic()
    async with serving(make_app(fresh_url), port=served.port):
        await expect(page.get_by_text("Live", exact=True)).to_be_visible()
        print(f"live again {time.monotonic() - began:.1f} s after the server began to start")  # noqa: T201
        await expect(page.get_by_role("article").nth(2)).to_contain_text("While nobody looked")
        [subscribed] = [message["payload"] for message in sent if message["type"] == "subscribe"]
        assert subscribed["variables"]["afterCursor"]


@pytest.fixture
async def behind(context):
    """A window that no event reaches: it shows what was true when it was opened."""
    page = await context.new_page()
    await page.route_web_socket("**/graphql", lambda socket: socket.close())
    return page


async def test_of_two_dispatchers_the_second_is_told_and_decides(product, page, behind, scene):
    await scene.assign(scene.ana)
    for window in (page, behind):
        await product.sign_in(window, Role.DISPATCHER, at=scene.path)
        await expect(window.get_by_role("article")).to_have_count(1)
    await escalate(page, "I was first")
    await expect(page.get_by_role("article")).to_have_count(2)
    await behind.keyboard.press("r")
    await behind.get_by_role("radio", name=f"Cleo {scene.mark}").check()
    await behind.get_by_role("dialog").get_by_label("Reason").fill("I was second")
    await behind.keyboard.press("Control+Enter")

    told = behind.get_by_role("alert")
    await expect(told).to_contain_text(
        re.compile(r"Ben .* holds it.*#2, Dealer.*assigned just now.*I was first")
    )
    await expect(behind.get_by_role("dialog").get_by_label("Reason")).to_have_value("I was second")
    await assert_accessible(behind)
    await behind.get_by_role("button", name="Reassign anyway").click()
    await expect(behind.get_by_role("article").nth(2)).to_contain_text(
        re.compile("#3 Cleo .*Tier 2.*Current")
    )
    await expect(page.get_by_role("article").nth(2)).to_contain_text("I was second")


async def test_what_changes_under_an_open_form_is_told_before_it_is_sent(product, context, page, scene):
    other = await context.new_page()
    for window in (page, other):
        await product.sign_in(window, Role.DISPATCHER, at=scene.path)
        await expect(window.get_by_text("Live", exact=True)).to_be_visible()
        await window.get_by_role("button", name="Assign").click()
    await page.keyboard.press("Control+Enter")
    await expect(other.get_by_role("alert")).to_contain_text("Assign is no longer possible.")
    await other.get_by_label("Reason").fill("Better placed")
    await other.get_by_role("button", name="Reassign instead").click()
    await other.get_by_role("button", name="Reassign anyway").click()
    await expect(other.get_by_role("article").nth(1)).to_contain_text("Better placed")


async def test_what_is_no_longer_possible_is_left(product, page, behind, scene):
    given = await scene.assign(scene.ana)
    await product.sign_in(behind, Role.DISPATCHER, at=scene.path)
    await expect(behind.get_by_role("button", name="Accept")).to_be_visible()
    await run(product.make.db, DISPATCHER, start_assignment, StartAssignment(assignment_id=given.id))
    await behind.keyboard.press("y")
    await expect(behind.get_by_role("alert")).to_contain_text(
        "Accept is no longer possible: leave it as it is."
    )
    await behind.get_by_role("button", name="Leave it").click()
    await expect(behind.get_by_role("button", name="Complete")).to_be_visible()
    await expect(behind.get_by_role("button", name="Accept")).to_have_count(0)


async def test_a_change_whose_answer_got_lost_is_sent_again_and_done_once(product, page, scene, problems):
    problems.expect("net::ERR_")
    await product.sign_in(page, Role.DISPATCHER, at=scene.path)
    lost = []

    async def lose_the_first(route):
        if operation_in(route.request) == "mutation AssignTicket" and not lost:
            lost.append(await route.fetch())
            await route.abort()
        else:
            await route.continue_()

    await page.route("**/graphql", lose_the_first)
    await page.get_by_role("button", name="Assign").click()
    await expect(page.get_by_role("radio").first).to_be_checked()
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_text("Ticket assigned")).to_be_visible()
    await expect(page.get_by_role("article")).to_have_count(1)
    assert lost


async def test_a_server_that_runs_no_other_documents_runs_those_of_the_pages(
    fresh_url, fresh_db, page, hosts
):
    scene = await new_scene(Factories(fresh_db))
    await scene.assign(scene.ana)
    app = make_app(fresh_url, documents=TrustedDocuments(only=True))
    async with serving(app) as served:
        product = Product(f"http://127.0.0.1:{served.port}", scene.make)
        hosts.add(urlsplit(product.url).netloc)
        await product.sign_in(page, Role.ENGINEER, scene.ana, at="/my-work")
        await page.get_by_role("button", name="Accept").click()
        await expect(page.get_by_role("button", name="Start")).to_be_visible()
        await page.goto(f"{product.url}{scene.path}")
        await expect(page.get_by_text("Live", exact=True)).to_be_visible()
        await expect(page.get_by_role("article")).to_have_count(1)
        command = ReassignTicket(ticket_id=scene.ticket, engineer_id=scene.cleo, reason="Ana is ill")
        await run(fresh_db, DISPATCHER, reassign_ticket, command)
        await expect(page.get_by_role("article")).to_have_count(2)
        # A page from before an update asks by text what this server does not know.
        answer = await page.request.post(f"{product.url}/graphql", data={"query": "{ viewer { subject } }"})
        assert (await answer.json())["errors"][0]["extensions"]["code"] == "DOCUMENT_NOT_TRUSTED"
