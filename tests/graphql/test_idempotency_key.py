"""The idempotency key comes from the header Idempotency-Key or the input field idempotencyKey."""

import pytest

ACCEPT = """
mutation ($id: ID!, $key: String) { acceptAssignment(input: {assignmentId: $id, idempotencyKey: $key}) {
    __typename ... on Assignment { id } ... on InvalidInput { field problem } } }
"""
TWO_MUTATIONS = """mutation ($id: ID!) {
    a: acceptAssignment(input: {assignmentId: $id}) { __typename } ...More }
fragment More on Mutation { b: startAssignment(input: {assignmentId: $id}) { __typename } }
"""


@pytest.fixture
async def accept(client, make):
    assignment = await make.assigned()

    async def accept(field=None, header=None, query=ACCEPT):
        body = {"query": query, "variables": {"id": str(assignment.id), "key": field}}
        headers = {} if header is None else {"Idempotency-Key": header}
        return (await client.post("/graphql", json=body, headers=headers)).json()

    return accept


async def result_of(accepting):
    return (await accepting)["data"]["acceptAssignment"]


@pytest.mark.parametrize(
    ("first", "retry"),
    [
        ({"field": "k"}, {"header": "k"}),
        ({"header": "k"}, {"field": "k"}),
        ({"header": "k", "field": "k"}, {"header": " k "}),
    ],
)
async def test_header_and_field_are_the_same_key(accept, first, retry):
    for key, expected in ((first, "Assignment"), (retry, "Assignment"), ({}, "TransitionNotAllowed")):
        assert (await result_of(accept(**key)))["__typename"] == expected


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ({"header": "k", "field": "l"}, "must equal the header Idempotency-Key, or be omitted"),
        ({"header": "x" * 201}, "must have 200 characters at most, not 201"),
        ({"field": " "}, "must not be empty"),
        ({"header": ""}, "must not be empty"),
    ],
    ids=["different", "too long", "empty field", "empty header"],
)
async def test_an_invalid_key_is_refused(accept, key, problem):
    refusal = {"__typename": "InvalidInput", "field": "idempotencyKey", "problem": problem}
    assert await result_of(accept(**key)) == refusal
    assert (await result_of(accept()))["__typename"] == "Assignment"


async def test_a_header_with_two_mutations_is_an_error(accept):
    response = await accept(header="k", query=TWO_MUTATIONS)
    [error] = response["errors"]
    assert (error["extensions"]["code"], "data" in response) == ("BAD_USER_INPUT", False)
    assert (await accept(query=TWO_MUTATIONS))["data"]["b"]["__typename"] == "Assignment"


async def test_a_header_is_ignored_by_queries(accept):
    query = "query ($id: ID!) { a: assignment(id: $id) { id } b: assignment(id: $id) { id } }"
    assert "errors" not in await accept(header="k", query=query)
