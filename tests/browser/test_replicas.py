"""Pages that read on standbys: nobody sees an older state than the one that they made or were told of."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from app.commands.reassign import ReassignTicket, reassign_ticket
from app.commands.run import run
from app.domain.model import Role
from tests.browser.conftest import TOKENS, Product
from tests.browser.scene import new_scene
from tests.chaos.cluster import Cluster
from tests.databases import migrate_whole, new_home
from tests.db.test_replicas import serving
from tests.factories import DISPATCHER

# However old what they show, standbys are not left out.
LAG_S = 3600


@pytest.fixture(scope="module")
async def cluster():
    with new_home() as home:
        cluster = Cluster(home)
        with cluster as url:
            await migrate_whole(url)
            yield cluster


@pytest.fixture
async def product(cluster):
    async with serving(cluster, TOKENS, database_replica_lag_s=LAG_S) as (client, make):
        await client.is_served_by_standbys()
        yield Product(f"http://127.0.0.1:{client.port}", make)


@pytest.fixture
async def scene(product):
    scene = await new_scene(product.make)
    await scene.assign(scene.ana)
    return scene


async def assert_loads(product, page, scene, *held_by):
    """What the page reads anew: the turns of the ticket, and whose the last one is in the list."""
    turns = page.get_by_role("article")
    await page.goto(f"{product.url}{scene.path}")
    await expect(turns).to_have_count(len(held_by))
    await expect(turns.last).to_contain_text(re.compile(rf"{held_by[-1]} {scene.mark}.*Current"))
    await page.goto(f"{product.url}/?q={scene.number}")
    await expect(page.get_by_role("row").nth(1)).to_contain_text(f"{held_by[-1]} {scene.mark}")


async def test_who_gives_out_a_ticket_sees_at_once_who_holds_it(cluster, product, context, page, scene):
    other = await context.new_page()
    for window in (page, other):
        # What they read is all they know: no event tells them.
        await window.route_web_socket("**/graphql", lambda socket: socket.close())
        await product.sign_in(window, Role.DISPATCHER, at=scene.path)
    async with cluster.replay_paused():
        await expect(page.get_by_role("article")).to_have_count(1)
        await page.keyboard.press("r")
        await page.get_by_role("radio", name=f"Ben {scene.mark}").check()
        await page.get_by_role("dialog").get_by_label("Reason").fill("Ana is ill")
        await page.keyboard.press("Control+Enter")
        await expect(page.get_by_text("Ticket reassigned")).to_be_visible()
        await assert_loads(product, page, scene, "Ana", "Ben")
        # It was no accident: who has changed nothing may still read the old.
        await assert_loads(product, other, scene, "Ana")


async def test_who_is_told_of_a_change_does_not_read_what_was_before(cluster, product, page, scene):
    await product.sign_in(page, Role.AUDITOR, at=scene.path)
    async with cluster.replay_paused():
        await expect(page.get_by_text("Live", exact=True)).to_be_visible()
        command = ReassignTicket(ticket_id=scene.ticket, engineer_id=scene.cleo, reason="Ana is ill")
        await run(product.make.db, DISPATCHER, reassign_ticket, command)
        await expect(page.get_by_role("article")).to_have_count(2)
        await page.route_web_socket("**/graphql", lambda socket: socket.close())
        await assert_loads(product, page, scene, "Ana", "Cleo")
