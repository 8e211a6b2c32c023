"""The header Idempotency-Key and the input field idempotencyKey name the same wish."""

from __future__ import annotations

import pytest

ACCEPT = """
mutation ($id: ID!, $key: String) { acceptAssignment(input: {assignmentId: $id, idempotencyKey: $key}) {
    __typename ... on Assignment { id } ... on InvalidInput { field problem } } }
"""


@pytest.fixture
async def accept(client, make):
    held = await make.assigned()

    async def accept(field=None, header=None, query=ACCEPT):
        body = {"query": query, "variables": {"id": str(held.id), "key": field}}
        headers = {} if header is None else {"Idempotency-Key": header}
        return (await client.post("/graphql", json=body, headers=headers)).json()

    return accept


async def answered(accepting):
    return (await accepting)["data"]["acceptAssignment"]["__typename"]


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ({"field": "k"}, {"header": "k"}),
        ({"header": "k"}, {"field": "k"}),
        ({"header": "k", "field": "k"}, {"header": " k "}),
    ],
)
async def test_either_says_it(accept, first, again):
    assert await answered(accept(**first)) == "Assignment"
    assert await answered(accept(**again)) == "Assignment"
    assert await answered(accept()) == "TransitionNotAllowed"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"header": "k", "field": "l"}, "must equal the header Idempotency-Key, or be omitted"),
        ({"header": "x" * 201}, "must have 200 characters at most, not 201"),
        ({"field": " "}, "must not be empty"),
        ({"header": ""}, "must not be empty"),
    ],
    ids=["they differ", "too long", "an empty field", "an empty header"],
)
async def test_a_key_that_protects_nothing_is_refused(accept, given, problem):
    answer = (await accept(**given))["data"]["acceptAssignment"]
    assert answer == {"__typename": "InvalidInput", "field": "idempotencyKey", "problem": problem}
    assert await answered(accept()) == "Assignment"


TWO = """mutation ($id: ID!) {
    a: acceptAssignment(input: {assignmentId: $id}) { __typename } ...More }
fragment More on Mutation { b: startAssignment(input: {assignmentId: $id}) { __typename } }
"""


async def test_a_header_cannot_belong_to_several_mutations(accept):
    answer = await accept(header="k", query=TWO)
    [error] = answer["errors"]
    assert (error["extensions"]["code"], "data" in answer) == ("BAD_USER_INPUT", False)
    assert (await accept(query=TWO))["data"]["b"]["__typename"] == "Assignment"


async def test_a_header_says_nothing_to_queries(accept):
    reads = "query ($id: ID!) { a: assignment(id: $id) { id } b: assignment(id: $id) { id } }"
    assert "errors" not in await accept(header="k", query=reads)
