"""GraphiQL with the session's token, over HTTP and WebSocket."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from graphql import build_schema, get_variable_values, parse, validate
from playwright.async_api import expect

from app.domain.model import Role
from tests.browser.conftest import TIMEOUT_MS, assert_accessible
from tests.snapshots import SCHEMA_GRAPHQL

EXAMPLES = Path(__file__).parents[2] / "admin-ui" / "src" / "examples"


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.graphql")))
def test_every_example_is_valid(name):
    schema = build_schema(SCHEMA_GRAPHQL.read_text(encoding="utf-8"))
    document = parse((EXAMPLES / f"{name}.graphql").read_text(encoding="utf-8"))
    assert validate(schema, document) == []
    variables = EXAMPLES / f"{name}.json"
    values = json.loads(variables.read_text(encoding="utf-8")) if variables.exists() else {}
    for operation in document.definitions:
        coerced = get_variable_values(schema, operation.variable_definitions or [], values)
        assert not isinstance(coerced, list), coerced


async def wait_for_editor(page, text):
    """Wait for the text: before the editor shows it, clicks have no effect."""
    await expect(page.locator(".graphiql-query-editor")).to_contain_text(text)


async def execute(page, text):
    await wait_for_editor(page, text)
    await page.get_by_role("button", name="Execute query").click()


async def test_an_example_runs_with_the_token_of_the_session(product, page):
    await product.sign_in(page, Role.AUDITOR, at="/graphiql")
    await expect(page.get_by_role("tab")).to_have_count(len(list(EXAMPLES.glob("*.graphql"))))
    await execute(page, "CurrentAssignments")
    await expect(page.locator(".result-window")).to_contain_text('"ticketNumber"')
    stored = await page.evaluate("Object.entries(localStorage).map(String)")
    assert any("CurrentAssignments" in entry for entry in stored)
    assert [entry for entry in stored if "Bearer" in entry] == []
    # GraphiQL's tabs contain buttons, and its editor has its own colours.
    await assert_accessible(page, disabled_rules=["nested-interactive", "color-contrast"])
    await page.reload()
    await execute(page, "CurrentAssignments")
    await expect(page.locator(".result-window")).to_contain_text('"ticketNumber"')
    await page.get_by_role("button", name="Show History").click()
    await page.locator(".graphiql-history-item-label").first.click()
    await expect(page.locator(".graphiql-editors")).to_contain_text("Bearer")


async def test_sign_in_returns_to_graphiql(product, page):
    await page.goto(f"{product.url}/graphiql")
    await page.get_by_role("link", name="Sign in").click()
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{product.url}/graphiql")
    await expect(page.get_by_role("link", name="Sign in")).to_be_hidden()
    await expect(page.locator(".graphiql-editors")).to_contain_text("Bearer")


async def test_a_subscription_sends_the_token(product, page):
    frames: list[str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: frames.append(str(frame))))
    await product.sign_in(page, Role.DISPATCHER, at="/graphiql")
    await wait_for_editor(page, "CurrentAssignments")
    await page.get_by_role("tab", name="Live").click()
    stop_button = page.get_by_role("button", name="Stop query")
    await execute(page, "assignmentEvents")
    with suppress(AssertionError):
        await expect(stop_button).to_be_visible(timeout=TIMEOUT_MS / 4)
    if not await stop_button.is_visible():
        # Directly after the tab has changed, GraphiQL may execute the operation of the previous tab.
        await execute(page, "assignmentEvents")
    await expect(stop_button).to_be_visible()
    assigned = await product.make.assigned()
    await expect(page.locator(".result-window")).to_contain_text(str(assigned.id))
    assert any("connection_init" in frame and "Bearer" in frame for frame in frames)
