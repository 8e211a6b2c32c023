"""An engineer works on a phone, online and offline."""

import json
import re

import pytest
from playwright.async_api import expect

from app.domain.model import Role
from tests.browser.conftest import assert_accessible, assert_fits
from tests.browser.scene import operation_of

OFFLINE = "net::ERR_"
HTTP_500 = "status of 500"


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
            """SELECT status, time_spent_hours, (SELECT count(*) FROM ticket_events e
                 WHERE e.assignment_id = a.id AND e.type <> 'assigned') AS events
               FROM engineer_assignments a WHERE ticket_id = $1 ORDER BY assignment_sequence""",
            scene.ticket,
        )
    return [tuple(row) for row in rows]


async def status_of(scene):
    [(status, *_)] = await stored_assignments(scene)
    return status


async def complete(page, hours, job=None):
    await (job or page).get_by_role("button", name="Complete").click()
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
    await phone.get_by_role("button", name="Edit").click()
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
    await context.unroute_all(behavior="wait")
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
    await scene.world.act("cancel", assigned)
    sent = []
    phone.on("request", lambda request: sent.append(operation_of(request)))
    async with phone.expect_request(lambda request: operation_of(request) == "mutation AcceptAssignment"):
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
    await phone.get_by_role("dialog").get_by_role("button", name="Discard all 2").click()
    await expect(refused).to_have_count(0)
    await expect(phone.get_by_text("Nothing to do.")).to_be_visible()
    assert await status_of(scene) == "cancelled"


@pytest.fixture
async def faulty_ticket(scene):
    """A trigger fails each change of the ticket; the returned function removes it."""
    name = f"fault_{scene.suffix}"

    async def execute(*statements):
        async with scene.make.db.connection() as conn:
            for statement in statements:
                await conn.execute(statement)

    async def repair():
        await execute(f"DROP FUNCTION IF EXISTS {name} CASCADE")

    await execute(
        f"""CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'a fault' USING ERRCODE = 'XX000'; END $$""",
        f"""CREATE TRIGGER {name} BEFORE UPDATE ON engineer_assignments FOR EACH ROW
            WHEN (OLD.ticket_id::text = '{scene.ticket}') EXECUTE FUNCTION {name}()""",
    )
    yield repair
    await repair()


async def test_a_server_error_blocks_its_ticket_until_the_engineer_decides(
    context, phone, scene, faulty_ticket, browser_errors
):
    browser_errors.allow(OFFLINE, HTTP_500)
    other = await scene.make.ticket(ticket_number=f"OTHER-{scene.suffix}", issue_category="Leak")
    await scene.make.assigned(ticket=other, engineer=scene.ana)
    noise, leak = (phone.locator(".job", has_text=issue) for issue in ("Noise", "Leak"))
    await expect(leak).to_be_visible()
    sent = []

    def record(request):
        if (operation_of(request) or "").startswith("mutation"):
            sent.append(json.loads(request.post_data)["variables"]["input"]["idempotencyKey"])

    phone.on("request", record)
    await context.set_offline(True)
    await noise.get_by_role("button", name="Accept").click()
    await complete(phone, "3", noise)
    await leak.get_by_role("button", name="Accept").click()
    await expect(phone.get_by_text("Waiting for the network (3)")).to_be_visible()
    sent.clear()
    await context.set_offline(False)

    failed = phone.get_by_role("alert")
    await expect(failed).to_contain_text(f"Accept {scene.number} failed.")
    await expect(failed).to_contain_text(re.compile(r"error [0-9a-f]{32}.*Waiting for it: Complete\."))
    await expect(phone.get_by_title("Not sent yet")).to_have_text("2")
    await expect(phone.get_by_text("Waiting for the network")).to_have_count(0)
    await expect(leak.get_by_role("button", name="Accept")).to_have_count(0)
    assert await status_of(scene) == "assigned"
    assert len(sent) == 2
    await assert_accessible(phone)
    await assert_fits(phone, 360)

    await phone.reload()
    await failed.get_by_role("button", name="Discard").click()
    dialog = phone.get_by_role("dialog")
    await expect(dialog.get_by_role("button", name="Keep")).to_be_focused()
    await expect(dialog).to_contain_text("Entered after it: Complete.")
    await assert_accessible(phone)
    await phone.keyboard.press("Escape")
    await expect(failed.get_by_role("button", name="Discard")).to_be_focused()
    assert len(sent) == 2

    await faulty_ticket()
    await failed.get_by_role("button", name="Send again").click()
    await expect(phone.get_by_title("Not sent yet")).to_have_count(0)
    await expect(phone.locator("#main")).to_be_focused()
    [(status, hours, events)] = await stored_assignments(scene)
    assert (status, str(hours), events) == ("completed", "3.00", 2)
    assert sent[2] in sent[:2]
    assert len(sent) == 4


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
