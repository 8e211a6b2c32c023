"""An engineer works on a phone, online and offline."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from app.commands.cancel import CancelAssignment, cancel_assignment
from app.domain.model import Role
from tests.browser.conftest import assert_accessible, assert_fits
from tests.browser.scene import operation_of

OFFLINE = "net::ERR_"


@pytest.fixture
async def assigned(scene):
    return await scene.assign(scene.ana)


@pytest.fixture
async def phone(product, page, scene, assigned):
    """Ana's jobs on a phone."""
    await page.set_viewport_size({"width": 360, "height": 740})
    await product.sign_in(page, Role.ENGINEER, scene.ana, at="/my-work")
    await expect(page.get_by_role("button", name="Accept")).to_be_visible()
    return page


async def stored_assignments(scene):
    """The assignments in the database: status, hours and number of events after the assignment."""
    async with scene.make.db.connection() as conn:
        rows = await conn.fetch(
            """SELECT status, time_spent_hours, (SELECT count(*) FROM assignment_events e
                 WHERE e.assignment_id = a.id AND e.type <> 'assigned') AS events
               FROM engineer_assignments a WHERE ticket_id = $1 ORDER BY assignment_sequence""",
            scene.ticket,
        )
    return [tuple(row) for row in rows]


async def status_of(scene):
    [(status, *_)] = await stored_assignments(scene)
    return status


async def complete(page, hours):
    await page.get_by_role("button", name="Complete").click()
    await page.get_by_label("Hours").fill(hours)
    await page.get_by_role("dialog").get_by_role("button", name="Complete").click()


async def test_a_job_is_accepted_started_and_completed_with_parts(product, phone, scene):
    job = phone.locator(".job")
    await expect(job).to_contain_text(scene.number)
    await assert_accessible(phone)
    await assert_fits(phone, 360)
    await job.get_by_role("button", name="Accept").click()
    await expect(job).to_contain_text("Accepted")
    await job.get_by_role("button", name="Start").click()
    await expect(job).to_contain_text("In progress")
    await job.get_by_role("button", name="Complete").click()
    await phone.get_by_label("Hours").fill("1.5")
    await phone.get_by_label("Diagnosis").fill("A loose belt")
    for number in ("B-7", "B-8"):
        await phone.get_by_role("button", name="Add a part").click()
        await phone.get_by_label("Part number").last.fill(number)
        await phone.get_by_label("Name").last.fill("Belt")
        await phone.get_by_label("Unit cost").last.fill("19.90")
    await phone.get_by_role("button", name="Remove part 1").click()
    await assert_accessible(phone)
    await phone.get_by_role("dialog").get_by_role("button", name="Complete").click()
    await expect(phone.get_by_text("Nothing to do.")).to_be_visible()

    await phone.goto(product.url + scene.path)
    entry = phone.get_by_role("article")
    await expect(entry).to_contain_text(re.compile(r"Completed.*Success.*1\.5 h.*A loose belt.*Belt B-8"))
    await expect(entry).not_to_contain_text("B-7")


async def test_an_invalid_rejection_is_corrected_and_sent_again(phone, scene):
    await phone.get_by_role("button", name="Reject").click()
    reject = phone.get_by_role("dialog").get_by_role("button", name="Reject")
    await phone.get_by_label("Reason").fill("   ")
    await reject.click()
    await expect(phone.get_by_role("alert")).to_contain_text(f"Reject {scene.number} was refused.")
    await phone.get_by_role("button", name="Correct").click()
    await expect(phone.get_by_role("dialog").get_by_role("alert")).to_have_text("Reason must not be empty.")
    await phone.get_by_label("Reason").fill("Not trained for it")
    await reject.click()
    await expect(phone.get_by_text("Nothing to do.")).to_be_visible()
    assert await status_of(scene) == "rejected"


async def test_offline_work_is_sent_when_the_network_is_back(context, phone, scene, browser_errors):
    browser_errors.allow(OFFLINE)
    await context.set_offline(True)
    await phone.get_by_role("button", name="Accept").click()
    await phone.get_by_role("button", name="Start").click()
    await complete(phone, "2")
    await expect(phone.get_by_text("Waiting for the network (3)")).to_be_visible()
    await assert_accessible(phone)
    assert await status_of(scene) == "assigned"
    await context.set_offline(False)
    await expect(phone.get_by_text("Nothing to do.")).to_be_visible()
    [(status, hours, events)] = await stored_assignments(scene)
    assert (status, str(hours), events) == ("completed", "2.00", 3)


async def test_unsent_work_survives_a_reload_and_a_lost_response(context, phone, scene, browser_errors):
    """The server runs the commands but the responses are lost: a retry does not run them again."""
    browser_errors.allow(OFFLINE)

    async def lose_the_response(route):
        await route.fetch()
        await route.abort()

    await context.route("**/graphql", lose_the_response)
    await phone.get_by_role("button", name="Accept").click()
    await phone.get_by_role("button", name="Start").click()
    await expect(phone.get_by_text("Waiting for the network (2)")).to_be_visible()
    await phone.reload()
    await expect(phone.get_by_text("Waiting for the network (2)")).to_be_visible()
    await expect(phone.locator(".job")).to_contain_text("In progress")
    await context.unroute("**/graphql")
    await phone.get_by_role("button", name="Send now").click()
    await expect(phone.get_by_title("Not sent yet")).to_have_count(0)
    assert await stored_assignments(scene) == [("in_progress", None, 2)]


async def test_a_refusal_of_offline_work_is_shown_with_the_next_step(
    context, phone, scene, assigned, browser_errors
):
    browser_errors.allow(OFFLINE)
    await context.set_offline(True)
    await phone.get_by_role("button", name="Accept").click()
    await complete(phone, "3")
    await expect(phone.get_by_text("Waiting for the network (2)")).to_be_visible()
    await scene.run(cancel_assignment, CancelAssignment(assignment_id=assigned.id, reason="Withdrawn"))
    sent = []
    phone.on("request", lambda request: sent.append(operation_of(request)))
    await context.set_offline(False)
    refused = phone.get_by_role("alert")
    await expect(refused).to_contain_text(f"Accept {scene.number} was refused.")
    await expect(refused).to_contain_text("Cannot accept")
    await refused.get_by_text("Complete: what you entered").click()
    await expect(refused).to_contain_text("Time spent hours3")
    assert [name for name in sent if name and name.startswith("mutation")] == ["mutation AcceptAssignment"]
    await assert_accessible(phone)
    await phone.reload()
    await expect(refused).to_be_visible()
    await refused.get_by_role("button", name="Discard").click()
    await expect(refused).to_have_count(0)
    await expect(phone.get_by_text("Nothing to do.")).to_be_visible()
    assert await status_of(scene) == "cancelled"


async def test_a_colleague_on_the_same_phone_does_not_send_the_unsent_work(
    product, context, phone, scene, browser_errors
):
    browser_errors.allow(OFFLINE)
    await context.route("**/graphql", lambda route: route.abort())
    await phone.get_by_role("button", name="Accept").click()
    await expect(phone.get_by_text("Waiting for the network (1)")).to_be_visible()
    await phone.get_by_role("button", name="Sign out").click()
    await context.unroute("**/graphql")
    await product.sign_in(phone, Role.ENGINEER, scene.ben, at="/my-work")
    await expect(phone.get_by_text("Nothing to do.")).to_be_visible()
    assert await status_of(scene) == "assigned"
    await phone.get_by_role("button", name="Sign out").click()
    await product.sign_in(phone, Role.ENGINEER, scene.ana, at="/my-work")
    await expect(phone.locator(".job")).to_contain_text("Accepted")
    await expect(phone.get_by_title("Not sent yet")).to_have_count(0)
    assert await status_of(scene) == "accepted"
