"""Whatever is sent, the answer says what is wrong with it, and nothing has changed."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from graphql import (
    get_named_type,
    is_input_object_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
)

from app.domain.model import Role
from app.graphql.schema import build_schema
from app.http.auth.tokens import DevelopmentTokens

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOTS = {"query": build_schema()._schema.query_type, "mutation": build_schema()._schema.mutation_type}
REFUSED = "__typename ... on Refusal { code message } ... on InvalidInput { field }"
FIRST = "00000000-0000-0000-0000-00000000000a"
UNKNOWN = "0190d3a4-5b6c-7d8e-9f01-23456789abcd"
NOT_UUIDS = [
    "",
    " ",
    "ENG-001",
    f"{{{UNKNOWN}}}",
    f"urn:uuid:{UNKNOWN}",
    UNKNOWN.replace("-", ""),
    UNKNOWN + "a",
    UNKNOWN + "\n",
    UNKNOWN[:-1] + "g",
    UNKNOWN[:-1] + "٣",
    "\0",
    "x" * 100_000,
]
UNSTORABLE = ["\0", "a\0b", "\ud800", "a\udfff"]
MUTATIONS: dict[str, dict[str, Any]] = {
    "assignTicket": {"ticketId": "T-1", "engineerId": UNKNOWN},
    "escalateTicket": {"ticketId": "T-2", "nextEngineerId": UNKNOWN, "reason": "x"},
    "reassignTicket": {"ticketId": "T-2", "engineerId": UNKNOWN, "reason": "x"},
    "acceptAssignment": {"assignmentId": FIRST},
    "rejectAssignment": {"assignmentId": FIRST, "reason": "x"},
    "startAssignment": {"assignmentId": FIRST},
    "completeAssignment": {"assignmentId": FIRST, "completionStatus": "SUCCESS", "timeSpentHours": "1"},
    "cancelAssignment": {"assignmentId": FIRST, "reason": "x"},
    "rateAssignment": {"assignmentId": FIRST, "rating": 5},
    "correctTimeSpent": {"assignmentId": FIRST, "timeSpentHours": "1", "reason": "x"},
    "setHourlyRate": {"engineerId": UNKNOWN, "hourlyRate": "1", "validFrom": "2026-03-01T00:00:00Z"},
}
"""An input of each, good but for the engineer that nobody knows."""
PART = {"partNumber": "P-1", "partName": "Coil", "quantity": 1, "cost": "1"}
SECRETS = ["asyncpg", "postgres", "sql", "invalid byte", "traceback", "app/"]


BAD: list[tuple[str, str, list[Any]]] = [
    ("assignTicket", "tier", [0, -1, 6]),
    ("assignTicket", "type", ["ESCALATION", "REASSIGNMENT"]),
    ("assignTicket", "expectedSequence", [-1]),
    ("escalateTicket", "nextTier", [0, -1, 6]),
    ("escalateTicket", "expectedSequence", [-1]),
    ("reassignTicket", "expectedSequence", [-1]),
    ("completeAssignment", "completionStatus", ["ESCALATED"]),
    (
        "completeAssignment",
        "timeSpentHours",
        ["-1", -1, "1000", "0.005", 0.005, "NaN", "sNaN", "Infinity", "1e1000", "1e-1000", "-0.01"],
    ),
    ("completeAssignment", "partsUsed", [[PART] * 101]),
    ("rateAssignment", "rating", [0, 6, -1]),
    ("setHourlyRate", "hourlyRate", ["-1", "0.005", "10000000", "NaN", "Infinity", "1e1000"]),
    ("setHourlyRate", "validFrom", ["2026-03-01T00:00:00", "0001-01-01T00:00:00+14:00"]),
]
BAD_PARTS = {
    "quantity": [0, -1, 10_001],
    "cost": ["-1", "0.001", "NaN", "10000000"],
    "partNumber": ["", "x" * 201, "\0"],
    "partName": [" ", "x" * 201, "\ud800"],
}
NOT_INTS = [2**31, -(2**31) - 1, 2**63, 1.5, "1", True, [1, 2], {}]
NOT_DECIMALS = ["", "one", "1,5", "0x10", True, [], {}]
MALFORMED: list[tuple[str, str, list[Any]]] = [
    ("assignTicket", "tier", NOT_INTS),
    ("escalateTicket", "nextTier", NOT_INTS),
    ("reassignTicket", "expectedSequence", NOT_INTS),
    ("rateAssignment", "rating", NOT_INTS),
    ("completeAssignment", "timeSpentHours", NOT_DECIMALS),
    ("setHourlyRate", "hourlyRate", NOT_DECIMALS),
    ("setHourlyRate", "validFrom", ["", "yesterday", "2026-02-30T00:00:00Z", 1, True]),
    ("completeAssignment", "completionStatus", ["", "success", "DONE", 1, ["SUCCESS", "FAILED"]]),
    ("completeAssignment", "partsUsed", [[PART | {"quantity": value}] for value in [*NOT_INTS, None]]),
    ("completeAssignment", "partsUsed", [[PART | {"cost": value}] for value in [*NOT_DECIMALS, None]]),
]


def bad_values(mutation: str) -> Iterator[tuple[str, Any]]:
    """Fields as the refusal names them, each with a value that is out of its bounds."""
    for field, declared in get_named_type(
        ROOTS["mutation"].fields[mutation].args["input"].type
    ).fields.items():
        values = bad_texts(field, get_named_type(declared.type).name)
        if MUTATIONS[mutation].get(field) == "x":  # a reason, which is required
            values += ["", " \n\t "]
        yield from ((field, value) for value in values)
    for of, field, values in BAD:
        yield from ((field, value) for value in values if of == mutation)
    if mutation == "completeAssignment":
        for field, values in BAD_PARTS.items():
            yield from ((f"partsUsed.1.{field}", [PART, PART | {field: value}]) for value in values)


def bad_texts(field: str, kind: str) -> list[Any]:
    if kind not in ("ID", "String"):
        return []
    if field == "ticketId":
        return ["", "x" * 65, *UNSTORABLE]
    if kind == "ID":
        return [*NOT_UUIDS, *UNSTORABLE]
    short = field in ("idempotencyKey", "tierName", "nextTierName")
    return ["x" * (201 if short else 4001), "x" * 200_000, *UNSTORABLE]


def malformed_values(mutation: str) -> Iterator[tuple[str, Any]]:
    """Fields, each with a value that its type does not admit."""
    for of, field, values in MALFORMED:
        yield from ((field, value) for value in values if of == mutation)
    for field in MUTATIONS[mutation]:
        yield from ((field, value) for value in (None, {"a": 1}))
    yield "unheardOf", 1


async def send(client: Any, query: str, **variables: Any) -> Any:
    """The answer, which is never a fault. Lone surrogates travel as JSON escapes."""
    body = json.dumps({"query": query, "variables": variables})
    response = await client.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code < 500
    return response.json()


def mutate(name: str) -> str:
    kind = get_named_type(ROOTS["mutation"].fields[name].args["input"].type).name
    return f"mutation ($input: {kind}!) {{ {name}(input: $input) {{ {REFUSED} }} }}"


def is_bad_user_input(answer: Any, *sent: Any) -> None:
    [error] = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT", (shown(sent), answer)
    tells_nothing_of_the_inside(error)


def tells_nothing_of_the_inside(said: Any) -> None:
    assert not [secret for secret in SECRETS if secret in json.dumps(said).lower()], said


@pytest.fixture
async def client_of_world(client, make, db):
    """A ticket that is new, one that is held, and afterwards the same rows as before."""
    engineer = await make.engineer(id=UUID(int=7))
    for ticket in ("T-1", "T-2"):
        await make.ticket(id=ticket)
    async with db.connection() as conn:
        await conn.execute(
            """INSERT INTO engineer_assignments (id, ticket_id, engineer_id, assignment_sequence,
                   assignment_tier, assignment_tier_name, assignment_type, status, origin)
               VALUES ($1, 'T-2', $2, 1, 1, 'OEM', 'manual', 'assigned', 'legacy')""",
            UUID(FIRST),
            engineer,
        )
        before = await everything(conn)
        yield client
        assert await everything(conn) == before


async def everything(conn: Any) -> list[Any]:
    tables = ("engineers", "service_tickets", "engineer_assignments", "assignment_events", "idempotency_keys")
    whole = "SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM {} t"
    return [await conn.fetchrow(whole.format(table)) for table in tables]


def shown(value: Any) -> str:
    return ascii(value)[:40]


def test_every_mutation_is_in_the_table():
    assert set(MUTATIONS) == set(ROOTS["mutation"].fields)


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_a_value_out_of_bounds_is_refused_by_its_field(client_of_world, mutation):
    for field, value in bad_values(mutation):
        given = MUTATIONS[mutation] | {field.partition(".")[0]: value}
        answer = await send(client_of_world, mutate(mutation), input=given)
        if "errors" in answer:
            is_bad_user_input(answer, field, value)
        else:
            refused = answer["data"][mutation]
            assert (refused["code"], refused["field"]) == ("INVALID_INPUT", field), shown(value)
            assert len(refused["message"]) < 200
            tells_nothing_of_the_inside(refused)


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_a_value_of_another_type_is_bad_user_input(client_of_world, mutation):
    for field, value in malformed_values(mutation):
        given = MUTATIONS[mutation] | {field: value}
        is_bad_user_input(await send(client_of_world, mutate(mutation), input=given), field, value)


async def test_an_unknown_id_is_a_refusal_of_its_own(client_of_world):
    for mutation, field, value, code in [
        ("assignTicket", "ticketId", "T-0", "TICKET_NOT_FOUND"),
        ("assignTicket", "ticketId", "'; DROP TABLE service_tickets; --", "TICKET_NOT_FOUND"),
        ("assignTicket", "engineerId", UNKNOWN, "ENGINEER_NOT_FOUND"),
        ("assignTicket", "expectedSequence", 2**31 - 1, "STALE_SEQUENCE"),
        ("escalateTicket", "ticketId", "T-0", "TICKET_NOT_FOUND"),
        ("escalateTicket", "ticketId", "T-1", "NO_CURRENT_ASSIGNMENT"),
        ("escalateTicket", "nextEngineerId", UNKNOWN, "ENGINEER_NOT_FOUND"),
        ("escalateTicket", "nextTier", 1, "TIER_NOT_HIGHER"),
        ("reassignTicket", "ticketId", "T-0", "TICKET_NOT_FOUND"),
        ("reassignTicket", "engineerId", UNKNOWN, "ENGINEER_NOT_FOUND"),
        ("acceptAssignment", "assignmentId", UNKNOWN, "ASSIGNMENT_NOT_FOUND"),
        ("rejectAssignment", "assignmentId", UNKNOWN, "ASSIGNMENT_NOT_FOUND"),
        ("startAssignment", "assignmentId", UNKNOWN, "ASSIGNMENT_NOT_FOUND"),
        ("completeAssignment", "assignmentId", UNKNOWN, "ASSIGNMENT_NOT_FOUND"),
        ("cancelAssignment", "assignmentId", UNKNOWN, "ASSIGNMENT_NOT_FOUND"),
        ("rateAssignment", "assignmentId", UNKNOWN, "ASSIGNMENT_NOT_FOUND"),
    ]:
        answer = await send(client_of_world, mutate(mutation), input=MUTATIONS[mutation] | {field: value})
        refused = answer["data"][mutation]
        assert refused["code"] == code
        assert refused["__typename"].upper() == code.replace("_", "")


# Queries


def cursor(*key: object) -> str:
    return urlsafe_b64encode(json.dumps(key).encode()).decode()


CURSORS = [
    "",
    "x",
    "%",
    "é",
    "\0",
    "\ud800",
    "x" * 100_000,
    urlsafe_b64encode(b"null").decode(),
    urlsafe_b64encode(b"[" * 5000).decode(),
    urlsafe_b64encode(b'{"a": 1, "b": 2}').decode(),
    urlsafe_b64encode(b"\xff\xfe").decode(),
    cursor(),
    cursor("2026-01-01T00:00:00Z"),
    cursor("2026-01-01T00:00:00Z", UNKNOWN, 3),
    cursor(1, UNKNOWN),
    cursor(None, None),
    cursor([], {}),
]
TIMED = [
    cursor("yesterday", UNKNOWN),
    cursor("infinity", UNKNOWN),
    cursor("0001-01-01T00:00:00+14:00", UNKNOWN),
    cursor("9999-12-31T23:59:59-14:00", UNKNOWN),
]
TICKETS = "query ($after: String) { tickets(after: $after) { nodes { id } } }"
NAMED = "query ($after: String) { engineers(after: $after) { nodes { id } } }"
OF_ONE = "query ($after: String) { engineers { nodes { assignments(after: $after) { nodes { id } } } } }"


@pytest.mark.parametrize(
    ("query", "cursors"),
    [
        (TICKETS, [*CURSORS, *TIMED, cursor("2026-01-01T00:00:00Z", "\0")]),
        (NAMED, [*CURSORS, cursor("Ana\0", UNKNOWN), cursor("Ana", "x")]),
        (OF_ONE, [*CURSORS, *TIMED, cursor("2026-01-01T00:00:00Z", "x")]),
    ],
    ids=["tickets", "engineers", "assignments"],
)
async def test_a_cursor_of_another_list_is_bad_user_input(client_of_world, query, cursors):
    for after in cursors:
        is_bad_user_input(await send(client_of_world, query, after=after), after)


@pytest.mark.parametrize("opening", ["tickets", "engineers", "engineers { nodes { assignments"])
async def test_a_page_has_one_to_a_hundred_rows(client_of_world, opening):
    query = f"query ($first: Int!) {{ {opening}(first: $first) {{ totalCount }} {'} ' * opening.count('{')}}}"
    for first in (0, -1, 101, 2**31 - 1, 2**31, -(2**31) - 1, 2**63, 1.5, "1"):
        is_bad_user_input(await send(client_of_world, query, first=first), first)


async def test_a_filter_out_of_bounds_is_bad_user_input(client_of_world):
    query = "query ($filter: TicketFilter) { tickets(filter: $filter) { totalCount } }"
    for field, values in {
        "engineerId": [*NOT_UUIDS, *UNSTORABLE],
        "search": [*UNSTORABLE, "x" * 201, 5],
        "tier": [0, 6, -1, 2**31],
        "status": [["DONE"], [None]],
        "priority": ["urgent"],
        "unassigned": ["yes"],
        "unheardOf": [1],
    }.items():
        for value in values:
            is_bad_user_input(await send(client_of_world, query, filter={field: value}), field, value)


async def test_a_search_out_of_bounds_is_bad_user_input(client_of_world):
    query = "query ($search: String) { engineers(search: $search) { totalCount } }"
    for search in (*UNSTORABLE, "x" * 201):
        is_bad_user_input(await send(client_of_world, query, search=search), search)


async def test_an_id_of_another_form_is_bad_user_input(client_of_world):
    for root, ids in {
        "ticket": ["", "x" * 65, *UNSTORABLE],
        "assignment": [*NOT_UUIDS, *UNSTORABLE],
        "engineer": [*NOT_UUIDS, *UNSTORABLE],
    }.items():
        for id_ in ids:
            query = f"query ($id: ID!) {{ {root}(id: $id) {{ id }} }}"
            is_bad_user_input(await send(client_of_world, query, id=id_), root, id_)


async def test_a_request_that_is_none_is_bad_user_input(client_of_world):
    for query in ("", "{", "{ nothing }", "{ viewer }", "mutation { viewer { role } }", "\ud800"):
        is_bad_user_input(await send(client_of_world, query), query)
    for body in (
        "",
        "{",
        "null",
        "5",
        '"x"',
        "[]",
        "{}",
        '{"query": 5}',
        "\xff",
        '{"query": null}',
        "[" * 9999,
    ):
        response = await client_of_world.post(
            "/graphql", content=body.encode("latin-1"), headers={"Content-Type": "application/json"}
        )
        assert response.status_code == 400
        is_bad_user_input(response.json(), body)


# Tokens


def calls() -> Iterator[tuple[str, str]]:
    """Each root with the arguments that it must have."""
    for kind, type_ in ROOTS.items():
        for name, field in type_.fields.items():
            given = [f"{n}: {value_of(a.type)}" for n, a in field.args.items() if is_required_argument(a)]
            arguments = f"({', '.join(given)})" if given else ""
            selection = " { __typename }" if not is_leaf_type(get_named_type(field.type)) else ""
            yield name, f"{kind} {{ {name}{arguments}{selection} }}"


def value_of(type_: Any) -> str:
    named = get_named_type(type_)
    if is_input_object_type(named):
        given = [f"{n}: {value_of(f.type)}" for n, f in named.fields.items() if is_required_input_field(f)]
        return f"{{{', '.join(given)}}}"
    values = {
        "Int": "1",
        "Decimal": '"1"',
        "CompletionStatus": "SUCCESS",
        "DateTime": '"2026-03-01T00:00:00Z"',
    }
    return values.get(named.name, f'"{UNKNOWN}"')


@pytest.mark.parametrize(("root", "query"), list(calls()))
async def test_every_root_asks_who_it_is(client_of_world, root, query):
    del client_of_world.headers["Authorization"]
    answer = await send(client_of_world, query)
    [error] = answer["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert not (answer["data"] or {}).get(root)


async def test_the_schema_is_open_to_everybody(client):
    del client.headers["Authorization"]
    answer = await send(client, "{ __schema { queryType { name } } }")
    assert answer["data"] == {"__schema": {"queryType": {"name": "Query"}}}


async def test_a_wrong_token_is_401(client):
    theirs = DevelopmentTokens("another secret of thirty-two characters").sign(Role.ADMIN, None, ttl_s=60)
    unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIiwicm9sZSI6ImFkbWluIn0."
    wrong = [f"Bearer {token}" for token in (theirs, unsigned, "", "x", "a.b.c", "\xff")]
    for header in (*wrong, "", "Bearer", "Basic YTpi", "x"):
        headers = {"Authorization": header.encode("latin-1")}
        response = await client.post("/graphql", json={"query": "{ viewer { role } }"}, headers=headers)
        is_unauthenticated(response)


async def test_an_expired_token_is_401(client, tokens):
    headers = {"Authorization": f"Bearer {tokens.sign(Role.ADMIN, None, ttl_s=-1)}"}
    response = await client.post("/graphql", json={"query": "{ viewer { role } }"}, headers=headers)
    is_unauthenticated(response)


def is_unauthenticated(response: Any) -> None:
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    [error] = response.json()["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    tells_nothing_of_the_inside(error)
