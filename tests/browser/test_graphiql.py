"""GraphiQL as it is served: with the session's token, over HTTP and over the socket."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from graphql import build_schema, get_variable_values, parse, validate
from playwright.async_api import expect

from app.domain.model import Role
from tests.browser.conftest import PATIENCE_MS, assert_accessible
from tests.snapshots import SCHEMA_GRAPHQL

EXAMPLES = Path(__file__).parents[2] / "admin-ui" / "src" / "examples"


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.graphql")))
def test_every_example_is_valid(name):
    schema = build_schema(SCHEMA_GRAPHQL.read_text(encoding="utf-8"))
    document = parse((EXAMPLES / f"{name}.graphql").read_text(encoding="utf-8"))
    assert validate(schema, document) == []
    variables = EXAMPLES / f"{name}.json"
    given = json.loads(variables.read_text(encoding="utf-8")) if variables.exists() else {}
    for operation in document.definitions:
        values = get_variable_values(schema, operation.variable_definitions or [], given)
        assert not isinstance(values, list), values


async def shows(page, word):
    """Until then, the editor loses what is asked of it."""
    await expect(page.locator(".graphiql-query-editor")).to_contain_text(word)


async def execute(page, word):
    await shows(page, word)
    await page.get_by_role("button", name="Execute query").click()


async def test_it_runs_an_example_with_the_token_of_who_is_signed_in(product, page):
    await product.sign_in(page, Role.AUDITOR, at="/graphiql")
    await expect(page.get_by_role("tab")).to_have_count(len(list(EXAMPLES.glob("*.graphql"))))
    await execute(page, "WhoHoldsWhat")
    await expect(page.locator(".result-window")).to_contain_text('"ticketNumber"')
    kept = await page.evaluate("Object.entries(localStorage).map(String)")
    assert any("WhoHoldsWhat" in entry for entry in kept)
    assert [entry for entry in kept if "Bearer" in entry] == []
    # Its tabs hold buttons, and its editor has its own colours.
    await assert_accessible(page, but=["nested-interactive", "color-contrast"])
    await page.reload()
    await execute(page, "WhoHoldsWhat")
    await expect(page.locator(".result-window")).to_contain_text('"ticketNumber"')
    await page.get_by_role("button", name="Show History").click()
    await page.locator(".graphiql-history-item-label").first.click()
    await expect(page.locator(".graphiql-editors")).to_contain_text("Bearer")


async def test_without_a_token_it_offers_to_sign_in_and_comes_back(product, page):
    await page.goto(f"{product.url}/graphiql")
    await page.get_by_role("link", name="Sign in").click()
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{product.url}/graphiql")
    await expect(page.get_by_role("link", name="Sign in")).to_be_hidden()
    await expect(page.locator(".graphiql-editors")).to_contain_text("Bearer")


async def test_a_subscription_takes_the_token_along(product, page):
    frames: list[str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: frames.append(str(frame))))
    await product.sign_in(page, Role.DISPATCHER, at="/graphiql")
    await shows(page, "WhoHoldsWhat")
    await page.get_by_role("tab", name="Live").click()
    running = page.get_by_role("button", name="Stop query")
    await execute(page, "assignmentEvents")
    with suppress(AssertionError):
        await expect(running).to_be_visible(timeout=PATIENCE_MS / 4)
    if not await running.is_visible():
        # For a moment after the tab has changed, GraphiQL asks for the operation of the one before.
        await execute(page, "assignmentEvents")
    await expect(running).to_be_visible()
    assigned = await product.make.assigned()
    await expect(page.locator(".result-window")).to_contain_text(str(assigned.id))
    assert any("connection_init" in frame and "Bearer" in frame for frame in frames)
