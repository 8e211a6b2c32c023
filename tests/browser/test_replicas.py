"""Pages that read from replicas: no query returns an older state than the last write or event of the tab."""

import re

import pytest
from playwright.async_api import expect

from app.domain.model import Role
from tests.apps import TOKENS
from tests.browser.conftest import Product, assign_next, expect_live
from tests.browser.scene import new_scene
from tests.chaos.cluster import Cluster
from tests.databases import migrate_whole, new_home
from tests.db.test_replicas import serving

# So high that the application reads from paused replicas, too.
LAG_S = 3600


@pytest.fixture(scope="module")
async def cluster():
    with new_home(in_memory=True) as home:
        cluster = Cluster(home)
        with cluster as url:
            await migrate_whole(url)
            yield cluster


@pytest.fixture
async def product(cluster):
    async with serving(cluster, TOKENS, database_replica_lag_s=LAG_S) as (client, make):
        await client.wait_for_replicas()
        yield Product(f"http://127.0.0.1:{client.port}", make)


@pytest.fixture
async def scene(product):
    scene = await new_scene(product.make)
    await scene.assign(scene.ana)
    return scene


async def assert_loads(product, page, scene, *assignees):
    """Reload the ticket and the list, and assert the assignees of the ticket, the current one last."""
    assignments = page.get_by_role("article")
    await page.goto(f"{product.url}{scene.path}")
    await expect(assignments).to_have_count(len(assignees))
    await expect(assignments.last).to_contain_text(re.compile(rf"{assignees[-1]} {scene.suffix}.*Current"))
    await page.goto(f"{product.url}/?q={scene.number}")
    await expect(page.get_by_role("row").nth(1)).to_contain_text(f"{assignees[-1]} {scene.suffix}")


async def test_a_tab_reads_its_own_write(cluster, product, context, page, scene):
    other = await context.new_page()
    for window in (page, other):
        # Without live updates, the pages show only what they query.
        await window.route_web_socket("**/graphql", lambda socket: socket.close())
        await product.sign_in(window, Role.DISPATCHER, at=scene.path)
    async with cluster.replay_paused():
        await expect(page.get_by_role("article")).to_have_count(1)
        await assign_next(page, "r", "Ana is ill", engineer=f"Ben {scene.suffix}")
        await expect(page.get_by_text("Ticket reassigned")).to_be_visible()
        await assert_loads(product, page, scene, "Ana", "Ben")
        # The replica is behind: a tab that has written nothing may still read the old state.
        await assert_loads(product, other, scene, "Ana")


async def test_a_tab_reads_at_least_the_state_of_its_last_event(cluster, product, page, scene):
    await product.sign_in(page, Role.AUDITOR, at=scene.path)
    async with cluster.replay_paused():
        await expect_live(page)
        await scene.hand_over("reassign", engineer_id=scene.cleo)
        await expect(page.get_by_role("article")).to_have_count(2)
        await page.route_web_socket("**/graphql", lambda socket: socket.close())
        await assert_loads(product, page, scene, "Ana", "Cleo")
