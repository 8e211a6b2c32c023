"""Every operation in the documents returns the documented response, over HTTP."""

import json
from uuid import UUID

import graphql
import httpx
import pytest

from app.domain.errors import DomainError, RefusalCode
from app.domain.model import EngineerId, Role
from app.graphql.schema import sdl
from tests.docs.examples import differences, examples_by_section

SCHEMA = graphql.build_schema(sdl())
REFUSALS = {refusal.__name__ for refusal in DomainError.__subclasses__()}


@pytest.mark.parametrize("examples", examples_by_section(), ids=lambda examples: examples[0].location)
async def test_operations_return_the_documented_response(examples, origin, values, tokens):
    for example in examples:
        response = await execute(example, origin, values, tokens)
        if example.response is not None:
            expected = json.loads(await values.fill(example.response, example.block))
            assert not list(differences(expected, response)), example.location
        else:
            assert "errors" not in response, (example.location, response)
            assert not refusals(response), (example.location, response)


async def execute(example, origin, values, tokens) -> dict:
    block = example.block
    text = await values.fill(block.text, block)
    document = graphql.parse(text)
    assert graphql.validate(SCHEMA, document) == [], example.location
    operation = document.definitions[0].operation
    if operation is graphql.OperationType.MUTATION:
        assert "__typename" in text or "on Refusal" in text, f"{example.location}: does not select refusals"
    variables = json.loads(await values.fill(example.variables, block))
    engineer = EngineerId(UUID(await values.engineer(block))) if example.role == "engineer" else None
    token = tokens.sign(Role(example.role), engineer, ttl_s=600)
    send = first_event if operation is graphql.OperationType.SUBSCRIPTION else post
    return await send(origin, token, {"query": text, "variables": variables})


def refusals(response: dict) -> list[dict]:
    """The refusals among the root fields that select `__typename` or `code`."""
    roots = [root for root in response["data"].values() if isinstance(root, dict)]
    return [
        root for root in roots if root.get("__typename") in REFUSALS or root.get("code") in set(RefusalCode)
    ]


async def post(origin: str, token: str, request: dict[str, object]) -> dict:
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
    pytest.fail("the stream ended without an event")


def test_differences_are_detected():
    response = {"data": {"a": [{"id": "T-1", "n": 2, "more": True}], "none": None}}
    assert not list(differences({"data": {"a": [{"id": "T-…", "n": 2}]}}, response))
    assert list(differences({"data": {"a": [{"id": "X-…", "n": 3}], "none": "…"}}, response)) == [
        ".data.a[0].id: 'T-1' instead of 'X-…'",
        ".data.a[0].n: 2 instead of 3",
        ".data.none: None instead of '…'",
    ]
    assert list(differences({"data": {"a": []}}, response))
