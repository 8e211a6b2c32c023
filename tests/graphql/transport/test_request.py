"""Requests that are not GraphQL are rejected with JSON and a specific status, and log no error."""

import gzip
import json
import logging
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from structlog.testing import capture_logs

from tests.graphql.transport.test_http import NEWER, code_of

JSON = {"Content-Type": "application/json"}
TYPENAME = b'{"query": "{ __typename }"}'
MAX_BYTES = 256 * 1024


@pytest.fixture(autouse=True)
def no_error_is_logged(caplog):
    with capture_logs() as logs, caplog.at_level(logging.INFO):
        yield
    assert [line for line in logs if (line["event"], line["log_level"]) != ("request", "info")] == []
    assert [record for record in caplog.records if not record.name.startswith(("httpx", "asyncio"))] == []


def with_variable(value: bytes) -> bytes:
    query = b'"query ($id: ID!) { ticket(id: $id) { id } }"'
    return b'{"query": ' + query + b', "variables": {"id": ' + value + b"}}"


def body_of(query: str) -> bytes:
    return json.dumps({"query": query}).encode()


INVALID = {
    "empty": b"",
    "incomplete": b'{"query": "{ __typename',
    "two objects": TYPENAME + TYPENAME,
    "null": b"null",
    "a number": b"1",
    "a string": b'"x"',
    "true": b"true",
    "a list": b"[]",
    "a list of one": b"[1]",
    "a batch": b"[" + TYPENAME + b"]",
    "invalid UTF-8": b'{"query": "\xff"}',
    "an overlong NUL": b'{"query": "\xc0\x80"}',
    "a surrogate in UTF-8": b'{"query": "\xed\xa0\x80"}',
    "a byte order mark": b"\xef\xbb\xbf" + TYPENAME,
    "UTF-16": TYPENAME.decode().encode("utf-16"),
    "UTF-16 without a byte order mark": TYPENAME.decode().encode("utf-16-le"),
    "UTF-32": TYPENAME.decode().encode("utf-32"),
    "a lone surrogate": b'{"query": "\\ud800"}',
    "NaN": with_variable(b"NaN"),
    "Infinity": with_variable(b"-Infinity"),
    "a number larger than a double": with_variable(b"1e999"),
    "5000 digits": with_variable(b"1" * 5000),
    "200 000 digits": with_variable(b"1" * 200_000),
    "a list 100 000 deep": b"[" * 100_000,
    "variables 100 000 deep": with_variable(b"[" * 100_000 + b"]" * 100_000),
    "an object 40 000 deep": b'{"a":' * 40_000,
    "a comment": b"/**/" + TYPENAME,
    "single quotes": b"{'query': '{ __typename }'}",
    "a trailing comma": b'{"query": "{ __typename }",}',
    "no query": b"{}",
    "a null query": b'{"query": null}',
    "an empty query": b'{"query": ""}',
    "a query that is a list": b'{"query": ["{ __typename }"]}',
    "an operationName that is a number": b'{"query": "{ __typename }", "operationName": 1}',
    "variables that are a list": b'{"query": "{ __typename }", "variables": []}',
    "variables that are a string": b'{"query": "{ __typename }", "variables": "{}"}',
    "extensions that are a number": b'{"query": "{ __typename }", "extensions": 0}',
}
UNUSUAL = {
    "unknown keys": b'{"query": "{ __typename }", "id": 1, "map": {}, "operations": []}',
    "a duplicate key, of which the last is used": b'{"query": "{", "query": "{ __typename }"}',
    "nulls": b'{"query": "{ __typename }", "variables": null, "operationName": null, "extensions": null}',
    "an empty name": b'{"query": "{ __typename }", "operationName": ""}',
    "white space": b" \r\n\t" + TYPENAME + b"\n",
    "extensions": b'{"query": "{ __typename }", "extensions": {"clientLibrary": {"name": "x"}}}',
    "undeclared variables": b'{"query": "{ __typename }", "variables": {"a": [[[[1]]]]}}',
}


async def post_body(client: Any, body: Any, **headers: str) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post("/graphql", content=body, headers={**JSON, **sent})


@pytest.mark.parametrize("case", INVALID)
async def test_an_invalid_body_is_400(client, case):
    for accept in (NEWER, "application/json"):
        response = await post_body(client, INVALID[case], Accept=accept)
        assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT")
        assert response.headers["Content-Type"].startswith(accept)


@pytest.mark.parametrize("case", UNUSUAL)
async def test_an_unusual_body_is_served(client, case):
    response = await post_body(client, UNUSUAL[case])
    assert (response.status_code, response.json().get("data")) == (200, {"__typename": "Query"})


DEEP = {
    "a variable 1000 deep": with_variable(b"[" * 1000 + b"]" * 1000),
    "a variable of objects 500 deep": with_variable(b'{"a":' * 500 + b"1" + b"}" * 500),
    "a literal of 5000 digits": body_of("{ tickets(first: " + "1" * 5000 + ") { totalCount } }"),
    "a literal 5000 deep": body_of("{ ticket(id: " + "[" * 5000 + "1" + "]" * 5000 + ") { id } }"),
    "a selection 5000 deep": body_of("{ a " * 5000 + "}" * 5000),
}
TOO_LARGE = {"a selection 5000 deep"}


@pytest.mark.parametrize("case", DEEP)
async def test_absurd_json_is_a_client_error(client, case):
    response = await post_body(client, DEEP[case], Accept=NEWER)
    assert response.status_code == 400, response.text
    codes = {error["extensions"]["code"] for error in response.json()["errors"]}
    assert codes == {"QUERY_TOO_LARGE" if case in TOO_LARGE else "BAD_USER_INPUT"}


# Media types


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        " application/json ",
        "application/json;charset=utf-8",
        'application/json; charset="UTF-8"',
        "application/json ; Charset=utf-8; profile=x",
    ],
)
async def test_json_media_types_are_served(client, content_type):
    response = await post_body(client, TYPENAME, Content_Type=content_type)
    assert (response.status_code, response.json().get("data")) == (200, {"__typename": "Query"})


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonfoo",
        "application/graphql",
        "application/graphql+json",
        "text/json",
        "text/plain; application/json",
        "application/json, text/plain",
        "application/json; charset=utf-16",
        "application/json; charset=latin1",
        "application",
    ],
)
async def test_other_media_types_are_415(client, content_type):
    response = await post_body(client, TYPENAME, Content_Type=content_type)
    assert (response.status_code, code_of(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_a_missing_media_type_is_415(client):
    response = await client.post("/graphql", content=TYPENAME)
    assert (response.status_code, code_of(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_a_compressed_body_is_415_unread(client):
    bomb = gzip.compress(b" " * 50_000_000)
    for coding in ("gzip", "GZIP", "deflate", "br", "identity, gzip", "x"):
        response = await post_body(client, bomb, Content_Encoding=coding)
        assert (response.status_code, code_of(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_a_file_upload_is_415(client, make, db):
    assignment = await make.assigned()
    operations = json.dumps({"query": accept_by(assignment.id), "variables": {"file": None}})
    form = {"operations": (None, operations), "map": (None, '{"0": ["variables.file"]}'), "0": b"x"}
    response = await client.post("/graphql", files=form)
    assert (response.status_code, code_of(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert await status_of(db, assignment.id) == "assigned"


# Size


async def test_a_body_above_the_maximum_is_413(client):
    largest = TYPENAME + b" " * (MAX_BYTES - len(TYPENAME))
    assert (await post_body(client, largest)).status_code == 200
    response = await post_body(client, largest + b" ")
    assert (response.status_code, code_of(response)) == (413, "CONTENT_TOO_LARGE")
    assert str(MAX_BYTES) in response.text


LARGE = {
    "comments": b'{"query": "' + b"#\\n" * 1_000_000 + b'{ __typename }"}',
    "a block string": b'{"query": "{ a(b: \\"\\"\\"' + b"x" * 5_000_000 + b'\\"\\"\\") }"}',
    "spaces": TYPENAME + b" " * 5_000_000,
    "a variable": with_variable(b'"' + b"x" * 20_000_000 + b'"'),
}


@pytest.mark.parametrize("case", LARGE)
async def test_a_large_body_is_413_with_and_without_content_length(client, case):
    chunks_read = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal chunks_read
        for start in range(0, len(LARGE[case]), 65536):
            chunks_read += 1
            yield LARGE[case][start : start + 65536]

    for body in (LARGE[case], chunks()):
        response = await post_body(client, body)
        assert (response.status_code, code_of(response)) == (413, "CONTENT_TOO_LARGE")
    assert chunks_read <= MAX_BYTES // 65536 + 2  # the rest is not read


# Methods


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "QUERY"])
async def test_other_methods_are_405(client, method):
    response = await client.request(method, "/graphql", content=TYPENAME, headers=JSON)
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, POST")
    assert method == "HEAD" or code_of(response) == "METHOD_NOT_ALLOWED"


async def get(client: Any, *, accept: str = NEWER, **parameters: str) -> Any:
    return await client.get(f"/graphql?{urlencode(parameters)}", headers={"Accept": accept})


async def test_a_query_by_get_is_served(client):
    query = "query A($name: String!) { __type(name: $name) { name } } query B { __typename }"
    response = await get(client, query=query, operationName="A", variables='{"name": "Ticket"}')
    assert (response.status_code, response.json().get("data")) == (200, {"__type": {"name": "Ticket"}})


async def test_empty_parameters_of_get_are_ignored(client):
    response = await get(client, query="{ __typename }", variables="", extensions="", operationName="")
    assert (response.status_code, response.json().get("data")) == (200, {"__typename": "Query"})


@pytest.mark.parametrize(
    "search",
    [
        "",
        "query=",
        "variables={}",
        "query=%7B__typename%7D&variables=x",
        "query=%7B__typename%7D&variables=[]",
        "query=%7B__typename%7D&variables=1",
        "query=%7B__typename%7D&variables=NaN",
        "query=%7B__typename%7D&extensions=%22x%22",
        "query=%7B__typename%7D&variables=" + quote("[" * 5000),
        "query=%FF",
        "query=%ED%A0%80",
        "query=%7B__typename%7D&" + "&".join(f"a{n}=1" for n in range(100)),
    ],
)
async def test_invalid_parameters_of_get_are_400(client, search):
    response = await client.get(f"/graphql?{search}", headers={"Accept": "application/json"})
    assert (response.status_code, code_of(response)) == (400, "BAD_USER_INPUT")


def accept_by(assignment_id: object) -> str:
    return f'mutation M {{ acceptAssignment(input: {{assignmentId: "{assignment_id}"}}) {{ __typename }} }}'


async def status_of(db: Any, assignment_id: object) -> str:
    async with db.connection() as conn:
        return await conn.fetchval("SELECT status FROM engineer_assignments WHERE id = $1", assignment_id)


async def test_a_mutation_by_get_is_405_and_changes_nothing(client, make, db):
    assignment = await make.assigned()
    mutation = accept_by(assignment.id)
    for parameters in (
        {"query": mutation},
        {"query": f"query Q {{ __typename }} {mutation}", "operationName": "M"},
        {"query": f"{mutation} query Q {{ __typename }}", "operationName": "M"},
        {"query": mutation, "operationName": "M", "extensions": "{}"},
    ):
        for accept in (NEWER, "application/json"):
            response = await get(client, accept=accept, **parameters)
            assert (response.status_code, response.headers["Allow"]) == (405, "POST")
            assert code_of(response) == "METHOD_NOT_ALLOWED"
    query = await get(client, query=f"query Q {{ __typename }} {mutation}", operationName="Q")
    assert query.json()["data"] == {"__typename": "Query"}
    unnamed = await get(client, query=f"query Q {{ __typename }} {mutation}")
    assert unnamed.status_code == 400
    assert await status_of(db, assignment.id) == "assigned"


async def test_a_subscription_by_get_names_the_transports(client):
    response = await get(client, query="subscription { x }")
    assert response.status_code == 400
    assert "text/event-stream" in response.text
