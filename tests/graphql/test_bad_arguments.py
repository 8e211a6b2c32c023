"""A query with an invalid argument gets an error that says what is wrong."""

import json
from base64 import urlsafe_b64encode

import pytest

from tests.graphql.bad_input import (
    NOT_UUIDS,
    UNKNOWN,
    UNSTORABLE,
    assert_bad_user_input,
    send,
    unchanged_tables,
)


@pytest.fixture
async def client_with_rows(client, make, db):
    await make.assigned()
    async with unchanged_tables(db):
        yield client


def cursor(*key: object) -> str:
    return urlsafe_b64encode(json.dumps(key).encode()).decode()


NO_CURSORS = [
    *("", "x", "%", "é", "\0", "\ud800", "x" * 100_000),
    *(
        urlsafe_b64encode(content).decode()
        for content in (b"null", b"[" * 5000, b'{"a": 1, "b": 2}', b"\xff\xfe")
    ),
    cursor(),
    cursor("2026-01-01T00:00:00Z"),
    cursor("2026-01-01T00:00:00Z", UNKNOWN, 3),
    cursor(1, UNKNOWN),
    cursor(None, None),
    cursor([], {}),
]
NO_TIMES = [
    cursor(text, UNKNOWN)
    for text in ("yesterday", "infinity", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")
]
CONNECTIONS = {"tickets": "", "engineers": "", "assignments": "engineers { nodes {"}


@pytest.mark.parametrize(
    ("connection", "cursors"),
    [
        ("tickets", [*NO_CURSORS, *NO_TIMES, cursor("2026-01-01T00:00:00Z", "\0")]),
        ("engineers", [*NO_CURSORS, cursor("Ana\0", UNKNOWN), cursor("Ana", "x")]),
        ("assignments", [*NO_CURSORS, *NO_TIMES, cursor("2026-01-01T00:00:00Z", "x")]),
    ],
)
async def test_a_cursor_of_another_list_is_an_error(client_with_rows, connection, cursors):
    parent = CONNECTIONS[connection]
    query = f"""query ($after: String) {{ {parent} {connection}(after: $after) {{ nodes {{ id }} }}
        {"}" * parent.count("{")} }}"""
    for after in cursors:
        assert_bad_user_input(await send(client_with_rows, query, after=after), after)


@pytest.mark.parametrize("connection", CONNECTIONS)
async def test_a_page_size_outside_1_to_100_is_an_error(client_with_rows, connection):
    parent = CONNECTIONS[connection]
    query = f"""query ($first: Int!) {{ {parent} {connection}(first: $first) {{ totalCount }}
        {"}" * parent.count("{")} }}"""
    for first in (0, -1, 101, 2**31 - 1, 2**31, -(2**31) - 1, 2**63, 1.5, "1"):
        assert_bad_user_input(await send(client_with_rows, query, first=first), first)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("engineerId", [*NOT_UUIDS, *UNSTORABLE]),
        ("search", [*UNSTORABLE, "x" * 201, 5]),
        ("tier", [0, 6, -1, 2**31]),
        ("status", [["DONE"], [None]]),
        ("priority", ["urgent"]),
        ("unassigned", ["yes"]),
        ("unknownField", [1]),
    ],
)
async def test_an_invalid_filter_is_an_error(client_with_rows, field, values):
    query = "query ($filter: TicketFilter) { tickets(filter: $filter) { totalCount } }"
    for value in values:
        assert_bad_user_input(await send(client_with_rows, query, filter={field: value}), field, value)


async def test_an_invalid_search_is_an_error(client_with_rows):
    query = "query ($search: String) { engineers(search: $search) { totalCount } }"
    for search in (*UNSTORABLE, "x" * 201):
        assert_bad_user_input(await send(client_with_rows, query, search=search), search)


@pytest.mark.parametrize(
    ("root", "ids"), [("ticket", ["", "x" * 65]), ("assignment", NOT_UUIDS), ("engineer", NOT_UUIDS)]
)
async def test_an_invalid_id_is_an_error(client_with_rows, root, ids):
    query = f"query ($id: ID!) {{ {root}(id: $id) {{ id }} }}"
    for id_ in (*ids, *UNSTORABLE):
        assert_bad_user_input(await send(client_with_rows, query, id=id_), root, id_)
