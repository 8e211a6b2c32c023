"""Introspection and suggestions: open in development, limited in production."""

import re

import pytest
from graphql import (
    OperationType,
    build_client_schema,
    build_schema,
    get_introspection_query,
    lexicographic_sort_schema,
    print_schema,
)

from app.domain.model import Actor, Role
from app.domain.policy import ExplorePermission, can_explore
from app.graphql import schema
from app.graphql.admission.limits import Limits
from tests.graphql.conftest import act_as
from tests.snapshots import SCHEMA_GRAPHQL


async def test_introspection_returns_the_schema_on_file(ask):
    query = get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
        one_of=True,
    )
    introspected = build_client_schema(await ask(query))
    on_file = build_schema(SCHEMA_GRAPHQL.read_text(encoding="utf-8"))
    assert print_schema(lexicographic_sort_schema(introspected)) == print_schema(
        lexicographic_sort_schema(on_file)
    )


STANDARD = get_introspection_query(input_value_deprecation=True)
LARGE = [
    STANDARD,
    "{ __schema { types { fields { args { name type { name } } } } } }",
    "{ __schema { types { fields { type { ofType { fields { name description } } } } } } }",
    "{ __schema { types { fields { type { fields { name } ofType { fields { name } } } } } } }",
    "{ __schema { types { possibleTypes { fields { name type { name ofType { name } } } } } } }",
    "{ __schema { types { fields { type { ofType { possibleTypes { name } } } } } } }",
    "{ __schema { types { fields { type { ofType { enumValues { name } } } } } } }",
    "{ __schema { types { inputFields { type { name ofType { name ofType { name } } } } } } }",
    "{ __schema { mutationType { fields { type { ofType { possibleTypes { name } } } } } } }",
    '{ __type(name: "Mutation") { fields { args { type { ofType { inputFields { name } } } } } } }',
    '{ __type(name: "Assignment") { fields { name description type { name ofType { name } } } } }',
    "{ __schema { directives { args { name type { name } } } } }",
]


@pytest.mark.parametrize("query", LARGE)
async def test_introspection_costs_what_it_returns(ask, query):
    answer = await ask.answer(query)
    points = answer["extensions"]["cost"]["requested"]
    assert points_of(answer["data"]) < 6 * points


def points_of(value: object) -> int:
    """The cost of a response by its objects and scalars."""
    if isinstance(value, dict):
        return 2 + sum(map(points_of, value.values()))
    return sum(map(points_of, value)) if isinstance(value, list) else 1


async def test_repeated_introspection_is_too_expensive(ask):
    roots = " ".join(f"a{i}: {LARGE[1].strip('{} ')} }} }} }} }} }}" for i in range(20))
    [error] = (await ask.answer(f"{{ {roots} }}"))["errors"]
    assert (error["extensions"]["code"], error["extensions"]["limit"]) == ("QUERY_TOO_LARGE", "cost")


async def test_the_standard_introspection_query_is_within_the_limit(ask):
    assert (await ask.answer(STANDARD))["extensions"]["cost"]["requested"] < Limits().cost * 0.9


MISSPELT_QUERIES = [
    ("{ viewer { rol } }", {}),
    ("query ($a: TicketFilte) { viewer { role } }", {}),
    ("{ tickets(firs: 1) { totalCount } }", {}),
    ("{ tickets(filter: {status: NEWW}) { totalCount } }", {}),
    ("{ tickets(filter: {tie: 1}) { totalCount } }", {}),
    ("query ($f: TicketFilter) { tickets(filter: $f) { totalCount } }", {"f": {"status": "NEWW"}}),
    ("query ($f: TicketFilter) { tickets(filter: $f) { totalCount } }", {"f": {"tie": 1}}),
]


@pytest.mark.parametrize(("query", "variables"), MISSPELT_QUERIES)
async def test_names_are_suggested_in_development_only(ask, serve, query, variables):
    assert "Did you mean" in str((await ask.answer(query, **variables))["errors"])
    production = await serve(production=True)
    errors = (await production.answer(query, **variables))["errors"]
    assert errors
    assert "Did you mean" not in str(errors)


INTROSPECTION = ["{ __schema { types { name } } }", '{ __type(name: "Ticket") { name } }']


@pytest.mark.parametrize("query", INTROSPECTION)
async def test_introspection_in_production_depends_on_the_role(serve, tokens, query):
    api = await serve(production=True)
    for role in (Role.ADMIN, Role.DISPATCHER):
        act_as(api, tokens, role)
        assert await api(query)
    for role in (Role.AUDITOR, Role.ENGINEER, None):
        act_as(api, tokens, role)
        answer = await api.answer(query)
        assert "data" not in answer
        assert "introspection has been disabled" in answer["errors"][0]["message"]


def test_only_admins_and_dispatchers_may_explore():
    for permission in ExplorePermission:
        roles = {role for role in Role if can_explore(Actor("x", role, None), permission)}
        assert roles == {Role.ADMIN, Role.DISPATCHER}
        assert not can_explore(None, permission)


NAMES = {
    name
    for type_name, type_ in schema.build_schema()._schema.type_map.items()
    if not type_name.startswith("__")
    for members in [{**getattr(type_, "fields", {}), **getattr(type_, "values", {})}]
    for name in (type_name, *members, *(arg for m in members.values() for arg in getattr(m, "args", {})))
} - {"Query", "Mutation", "Subscription", "ID", "Int", "String", "Boolean", "Float"}
"""The names in the schema that an attacker could learn from errors."""

GUESSES = [
    "{ %s }",
    "{ %s { x } }",
    "{ viewer { %s } }",
    "{ tickets { nodes { %s } } }",
    "{ tickets(%s: 1) { totalCount } }",
    "{ tickets(filter: {%s: 1}) { totalCount } }",
    "{ tickets(filter: {status: %s}) { totalCount } }",
    "query($a: %s) { viewer { role } }",
    "{ viewer { ... on %s { x } } }",
    "mutation { %s }",
    "mutation { %s(input: 7) { __typename } }",
    "mutation { acceptAssignment(input: {assignmentId: 1, %s: 1}) { __typename } }",
    "mutation { acceptAssignment(input: {assignmentId: 1}) { ... on Assignment { %s } } }",
]
MISSPELT_NAMES = [
    "a",
    "ticke",
    "tickts",
    "rol",
    "statu",
    "ASIGNED",
    "Asignment",
    "asignTicket",
    "serch",
    "nod",
    "idd",
]
VALUES = [
    {},
    None,
    7,
    "x",
    [],
    {"assignmentId": None},
    {"assignmentId": {}},
    {"assignmentId": "x", "completionStatus": 1},
    {"ticketId": "T-1", "reason": 3},
    {"tier": "x", "status": 1, "from": None},
]


def assert_no_other_names(errors, *sent):
    """Errors name only what the client has sent."""
    quoted = re.findall(r"'([^']*)'", " ".join(error["message"] for error in errors))
    assert quoted
    known = set(re.findall(r"\w+", " ".join(map(str, sent))))
    assert NAMES & set(re.findall(r"\w+", " ".join(quoted))) <= known, errors


@pytest.mark.parametrize("guess", GUESSES)
async def test_errors_reveal_no_other_names(serve, tokens, guess):
    """Guesses as the tool clairvoyance does."""
    api = await serve(production=True, errors=100)
    act_as(api, tokens, Role.ENGINEER)
    for word in MISSPELT_NAMES:
        query = guess % word
        assert_no_other_names((await api.answer(query))["errors"], query)


@pytest.mark.parametrize("kind", ["query", "mutation"])
async def test_errors_of_correct_roots_and_variables_reveal_no_other_names(serve, tokens, kind):
    """For every argument of every root: without its selection, and with values that cannot be coerced."""
    api = await serve(production=True, errors=100)
    act_as(api, tokens, Role.ENGINEER)
    root = schema.build_schema()._schema.get_root_type(OperationType(kind))
    refused = 0
    for name, field in root.fields.items():
        for selection in ("", "{ __typename }"):
            errors = (await api.answer(query := f"{kind} {{ {name} {selection} }}")).get("errors", ())
            if any("'" in error["message"] for error in errors):
                assert_no_other_names(errors, query)
        for argument_name, argument in field.args.items():
            query = f"{kind} ($v: {argument.type}) {{ {name}({argument_name}: $v) {{ __typename }} }}"
            for value in VALUES:
                errors = (await api.answer(query, v=value)).get("errors", ())
                if any("'" in error["message"] for error in errors):
                    refused += 1
                    assert_no_other_names(errors, query, value)
    assert refused
