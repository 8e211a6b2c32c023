"""Introspection and suggestions: open in development, limited in production."""

from __future__ import annotations

import re

import pytest
from graphql import (
    build_client_schema,
    build_schema,
    get_introspection_query,
    lexicographic_sort_schema,
    print_schema,
)

from app.domain.model import Actor, Role
from app.domain.policy import ExplorePermission, can_explore
from app.graphql import schema
from tests.graphql.conftest import act_as
from tests.snapshots import SCHEMA_GRAPHQL


async def test_introspection_returns_the_schema_on_file(ask):
    query = get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    introspected = build_client_schema(await ask(query))
    on_file = build_schema(SCHEMA_GRAPHQL.read_text(encoding="utf-8"))
    assert print_schema(lexicographic_sort_schema(introspected)) == print_schema(
        lexicographic_sort_schema(on_file)
    )


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


FIELDS_AND_VALUES = {
    name
    for type_ in schema.build_schema()._schema.type_map.values()
    for name in (*getattr(type_, "fields", {}), *getattr(type_, "values", {}))
}
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


@pytest.mark.parametrize("guess", GUESSES)
async def test_errors_reveal_no_other_names(serve, tokens, guess):
    """Guesses as the tool clairvoyance does. Errors name only what the query names, and its type."""
    api = await serve(production=True, errors=100)
    act_as(api, tokens, Role.ENGINEER)
    for word in MISSPELT_NAMES:
        query = guess % word
        errors = (await api.answer(query))["errors"]
        quoted = re.findall(r"'([^']*)'", " ".join(error["message"] for error in errors))
        assert quoted
        assert FIELDS_AND_VALUES & set(re.findall(r"\w+", " ".join(quoted))) <= set(re.findall(r"\w+", query))
