"""The media type and status of a response, by the Accept header and by how far the request got."""

from typing import Any

import pytest

from tests.graphql.bad_input import assert_no_internals

JSON = "application/json"
NEWER = "application/graphql-response+json"
TYPENAME = {"query": "{ __typename }"}

ACCEPTED = [
    (None, JSON),
    ("*/*", JSON),
    ("application/*", JSON),
    (JSON, JSON),
    (NEWER, NEWER),
    ("Application/GraphQL-Response+JSON", NEWER),
    (f"{NEWER}; charset=utf-8", NEWER),
    (f"{NEWER},{JSON};q=0.9", NEWER),  # Apollo Client
    (f"{NEWER}, {JSON}, text/event-stream, multipart/mixed", NEWER),  # urql
    (f"{JSON}, {NEWER}", NEWER),
    (f"{NEWER};q=0.5, {JSON}", JSON),
    (f"{NEWER}, */*", NEWER),
    (f"{NEWER};q=0.1, */*", JSON),
    (f"{NEWER};q=0, */*;q=0.1", JSON),
    (f"{JSON};q=0, */*;q=0.1", NEWER),
    (f"{JSON};q=0, application/*", NEWER),
    ("text/html,application/xhtml+xml,*/*;q=0.8", JSON),  # a browser
]
NOT_ACCEPTED = [
    "text/plain",
    "text/html",
    "application/jsonfoo",
    f"{JSON};q=0",
    f"{JSON};q=0.000, {NEWER};q=0",
    "*/*;q=0",
    f"{JSON};q=nan",
    f"{JSON};q=2",
    f"{JSON};q=-1",
    f"{JSON};q=",
    ",",
    "x",
    "\xff",
]


def code_of(response: Any) -> str:
    """Return the code of the only error of a request that was not executed."""
    body = response.json()
    assert set(body) == {"errors"}, body
    [error] = body["errors"]
    assert error["message"].endswith(".")
    assert_no_internals(error)
    return error["extensions"]["code"]


async def post(client: Any, accept: str | None, **request: Any) -> Any:
    headers = {} if accept is None else {"Accept": accept.encode("latin-1")}
    client.headers.pop("Accept", None)
    return await client.post("/graphql", json=request, headers=headers)


@pytest.mark.parametrize(("accept", "media_type"), ACCEPTED)
async def test_the_response_has_the_preferred_media_type(client, accept, media_type):
    response = await post(client, accept, **TYPENAME)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == f"{media_type}; charset=utf-8"
    assert response.headers["Vary"] == "Accept"
    assert response.json()["data"] == {"__typename": "Query"}


@pytest.mark.parametrize("accept", NOT_ACCEPTED)
async def test_other_media_types_are_not_acceptable(client, accept):
    response = await post(client, accept, **TYPENAME)
    assert (response.status_code, code_of(response)) == (406, "NOT_ACCEPTABLE")
    assert NEWER in response.text
    assert response.headers["Content-Type"].startswith(JSON)
    assert response.headers["Vary"] == "Accept"


async def test_several_accept_headers_are_joined(client):
    headers = [("Accept", f"{JSON};q=0.5"), ("Accept", NEWER)]
    client.headers.pop("Accept")
    response = await client.post("/graphql", json=TYPENAME, headers=headers)
    assert response.headers["Content-Type"].startswith(NEWER)


NOT_EXECUTED = {
    "syntax error": {"query": "{"},
    "unknown field": {"query": "{ nothing }"},
    "no selection": {"query": "{ viewer }"},
    "query field of a mutation": {"query": "mutation { viewer { role } }"},
    "invalid variable": {"query": "query ($id: ID!) { ticket(id: $id) { id } }", "variables": {"id": None}},
    "two operations without a name": {"query": "query A { __typename } query B { __typename }"},
    "unknown operation": {"query": "query A { __typename }", "operationName": "B"},
    "no operation": {"query": "fragment F on Query { __typename }"},
    "subscription": {"query": "subscription { anything }"},
    "null as persisted query": {"extensions": {"persistedQuery": None}},
}
EXECUTED = {
    "data": "{ __typename }",
    "refusal": 'mutation { rateAssignment(input: {assignmentId: "x", rating: 5}) { __typename } }',
    "error": 'query { __typename ticket(id: "") { id } }',
    "error that makes data null": "query { tickets(first: 0) { totalCount } }",
}


@pytest.mark.parametrize("case", NOT_EXECUTED)
async def test_a_request_that_is_not_executed_has_no_data(client, case):
    for accept, status in ((NEWER, 400), (JSON, 200)):
        response = await post(client, accept, **NOT_EXECUTED[case])
        assert response.headers["Content-Type"].startswith(accept)
        assert "data" not in response.json()
        assert {error["extensions"]["code"] for error in response.json()["errors"]} == {"BAD_USER_INPUT"}
        assert response.status_code == status


@pytest.mark.parametrize("case", EXECUTED)
async def test_an_executed_request_is_200_and_has_data(client, case):
    for accept in (NEWER, JSON):
        response = await post(client, accept, query=EXECUTED[case])
        assert response.status_code == 200
        assert "data" in response.json()


async def test_unauthenticated_is_200_since_execution_started(client):
    del client.headers["Authorization"]
    for accept in (NEWER, JSON):
        response = await post(client, accept, query="{ viewer { role } }")
        assert response.status_code == 200
        assert response.json()["data"] is None
        assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_one_of_two_operations_is_selected_by_name(client):
    both = "query A { a: __typename } query B { b: __typename }"
    for query in (both, "mutation M { __typename } " + both):
        response = await post(client, NEWER, query=query)
        assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT")
        assert "operationName" in response.text
        response = await post(client, NEWER, query=query, operationName="B")
        assert response.json()["data"] == {"b": "Query"}


async def test_an_unknown_operation_name_is_in_the_message(client):
    response = await post(client, NEWER, query="query A { __typename }", operationName="Nope")
    assert "Nope" in response.json()["errors"][0]["message"]


async def test_a_subscription_without_a_stream_names_the_transports(client):
    for query in ("subscription { x }", "query A { __typename } subscription B { x }"):
        name = "B" if "B" in query else None
        response = await post(client, NEWER, query=query, operationName=name)
        assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT")
        assert "graphql-transport-ws" in response.text
        assert "text/event-stream" in response.text
