"""Which media type and status an answer has: by what the client takes, and by how far its request came."""

from __future__ import annotations

from typing import Any

import pytest

JSON = "application/json"
NEWER = "application/graphql-response+json"
TYPENAME = {"query": "{ __typename }"}

TAKEN = [
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
NOT_TAKEN = [
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
    """Of the one error; nothing ran."""
    body = response.json()
    assert set(body) == {"errors"}, body
    [error] = body["errors"]
    assert error["message"].endswith(".")
    return error["extensions"]["code"]


async def post(client: Any, accept: str | None, **request: Any) -> Any:
    headers = {} if accept is None else {"Accept": accept.encode("latin-1")}
    client.headers.pop("Accept", None)
    return await client.post("/graphql", json=request, headers=headers)


@pytest.mark.parametrize(("accept", "media_type"), TAKEN)
async def test_an_answer_has_the_media_type_that_the_client_likes_best(client, accept, media_type):
    response = await post(client, accept, **TYPENAME)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == f"{media_type}; charset=utf-8"
    assert response.headers["Vary"] == "Accept"
    assert response.json()["data"] == {"__typename": "Query"}


@pytest.mark.parametrize("accept", NOT_TAKEN)
async def test_a_client_that_takes_neither_media_type_is_told_which_there_are(client, accept):
    response = await post(client, accept, **TYPENAME)
    assert (response.status_code, code_of(response)) == (406, "NOT_ACCEPTABLE")
    assert NEWER in response.text
    assert response.headers["Content-Type"].startswith(JSON)
    assert response.headers["Vary"] == "Accept"


async def test_several_accept_headers_are_one(client):
    headers = [("Accept", f"{JSON};q=0.5"), ("Accept", NEWER)]
    client.headers.pop("Accept")
    response = await client.post("/graphql", json=TYPENAME, headers=headers)
    assert response.headers["Content-Type"].startswith(NEWER)


NEVER_RAN = {
    "of bad syntax": {"query": "{"},
    "of an unknown field": {"query": "{ nothing }"},
    "of a bad variable": {"query": "query ($id: ID!) { ticket(id: $id) { id } }", "variables": {"id": None}},
    "of two operations and no name": {"query": "query A { __typename } query B { __typename }"},
    "of an unknown operation": {"query": "query A { __typename }", "operationName": "B"},
    "of no operation": {"query": "fragment F on Query { __typename }"},
    "of a subscription": {"query": "subscription { anything }"},
}
RAN = {
    "well": "{ __typename }",
    "with a refusal": 'mutation { rateAssignment(input: {assignmentId: "x", rating: 5}) { __typename } }',
    "with an error": 'query { __typename ticket(id: "") { id } }',
    "with an error of all": "query { tickets(first: 0) { totalCount } }",
}


@pytest.mark.parametrize("why", NEVER_RAN)
async def test_what_never_ran_is_400_and_to_older_clients_200_but_never_has_data(client, why):
    for accept, status in ((NEWER, 400), (JSON, 200)):
        response = await post(client, accept, **NEVER_RAN[why])
        assert response.headers["Content-Type"].startswith(accept)
        assert "data" not in response.json()
        assert {error["extensions"]["code"] for error in response.json()["errors"]} == {"BAD_USER_INPUT"}
        assert response.status_code == status


@pytest.mark.parametrize("how", RAN)
async def test_what_ran_is_200_and_has_data(client, how):
    for accept in (NEWER, JSON):
        response = await post(client, accept, query=RAN[how])
        assert response.status_code == 200
        assert "data" in response.json()


async def test_who_has_not_signed_in_is_told_so_by_the_same_rules(client):
    del client.headers["Authorization"]
    for accept in (NEWER, JSON):
        response = await post(client, accept, query="{ viewer { role } }")
        assert response.status_code == 200  # it ran, up to the field that asks who it is
        assert response.json()["data"] is None
        assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_two_operations_need_a_name_and_run_by_it(client):
    both = "query A { a: __typename } query B { b: __typename }"
    for query in (both, "mutation M { __typename } " + both):
        response = await post(client, NEWER, query=query)
        assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT")
        assert "operationName" in response.text
        response = await post(client, NEWER, query=query, operationName="B")
        assert response.json()["data"] == {"b": "Query"}


async def test_an_operation_that_is_not_there_is_named(client):
    response = await post(client, NEWER, query="query A { __typename }", operationName="Nope")
    assert "Nope" in response.json()["errors"][0]["message"]


async def test_a_subscription_is_told_where_streams_are(client):
    for query in ("subscription { x }", "query A { __typename } subscription B { x }"):
        name = "B" if "B" in query else None
        response = await post(client, NEWER, query=query, operationName=name)
        assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT")
        assert "graphql-transport-ws" in response.text
        assert "text/event-stream" in response.text
