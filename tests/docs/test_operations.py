"""Every operation that the documents show answers as they say, over HTTP."""

from __future__ import annotations

import json
from uuid import UUID

import graphql
import httpx
import pytest

from app.domain.errors import DomainError, RefusalCode
from app.domain.model import EngineerId, Role
from app.graphql.schema import sdl
from tests.docs.examples import differences, stories

SCHEMA = graphql.build_schema(sdl())
REFUSALS = {refusal.__name__ for refusal in DomainError.__subclasses__()}


@pytest.mark.parametrize("story", stories(), ids=lambda story: story[0].place)
async def test_operations_answer_as_shown(story, served, reader, tokens):
    for example in story:
        got = await answer_to(example, served.origin, reader, tokens)
        if example.answer is not None:
            shown = json.loads(await reader.filled_in(example.answer, example.block))
            assert differences(shown, got) == [], example.place
        else:
            assert "errors" not in got, (example.place, got)
            assert not refusals_in(got), (example.place, got)


async def answer_to(example, origin, reader, tokens) -> dict:
    block = example.block
    text = await reader.filled_in(block.text, block)
    document = graphql.parse(text)
    assert graphql.validate(SCHEMA, document) == [], example.place
    operation = document.definitions[0].operation
    if operation is graphql.OperationType.MUTATION:
        told = "__typename" in text or "on Refusal" in text
        assert told, f"{example.place}: a refusal looks like success"
    variables = json.loads(await reader.filled_in(example.variables, block))
    engineer = EngineerId(UUID(await reader.engineer_of(block))) if example.role == "engineer" else None
    token = tokens.sign(Role(example.role), engineer, ttl_s=600)
    ask = first_event if operation is graphql.OperationType.SUBSCRIPTION else answer
    return await ask(origin, token, {"query": text, "variables": variables})


def refusals_in(got: dict) -> list[dict]:
    """Of those that ask for the type, or for a refusal's code."""
    roots = [root for root in got["data"].values() if isinstance(root, dict)]
    return [
        root for root in roots if root.get("__typename") in REFUSALS or root.get("code") in set(RefusalCode)
    ]


async def answer(origin: str, token: str, request: dict[str, object]) -> dict:
    async with httpx.AsyncClient(base_url=origin, headers={"Authorization": f"Bearer {token}"}) as client:
        return (await client.post("/graphql", json=request)).json()


async def first_event(origin: str, token: str, request: dict[str, object]) -> dict:
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    async with (
        httpx.AsyncClient(base_url=origin, headers=headers) as client,
        client.stream("POST", "/graphql", json=request) as response,
    ):
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                return json.loads(line.removeprefix("data: "))
    pytest.fail("the stream has ended without an event")


def test_an_answer_that_differs_is_noticed():
    got = {"data": {"a": [{"id": "T-1", "n": 2, "more": True}], "none": None}}
    assert differences({"data": {"a": [{"id": "T-…", "n": 2}]}}, got) == []
    assert differences({"data": {"a": [{"id": "X-…", "n": 3}], "none": "…"}}, got) == [
        ".data.a[0].id: 'T-1' instead of 'X-…'",
        ".data.a[0].n: 2 instead of 3",
        ".data.none: None instead of '…'",
    ]
    assert differences({"data": {"a": []}}, got) != []
