"""What the service tells of its own schema: everything in development, nothing in production."""

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


async def test_graphiql_reads_the_very_schema_that_is_on_file(ask):
    everything = get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    told = build_client_schema(await ask(everything))
    written = build_schema(SCHEMA_GRAPHQL.read_text(encoding="utf-8"))
    assert print_schema(lexicographic_sort_schema(told)) == print_schema(lexicographic_sort_schema(written))


WRONG = [
    ("{ viewer { rol } }", {}),
    ("query ($a: TicketFilte) { viewer { role } }", {}),
    ("{ tickets(firs: 1) { totalCount } }", {}),
    ("{ tickets(filter: {status: NEWW}) { totalCount } }", {}),
    ("{ tickets(filter: {tie: 1}) { totalCount } }", {}),
    ("query ($f: TicketFilter) { tickets(filter: $f) { totalCount } }", {"f": {"status": "NEWW"}}),
    ("query ($f: TicketFilter) { tickets(filter: $f) { totalCount } }", {"f": {"tie": 1}}),
]


@pytest.mark.parametrize(("query", "variables"), WRONG)
async def test_what_was_meant_is_suggested_in_development_only(ask, serve, query, variables):
    assert "Did you mean" in str((await ask.answer(query, **variables))["errors"])
    production = await serve(production=True)
    found = (await production.answer(query, **variables))["errors"]
    assert found
    assert "Did you mean" not in str(found)


READING = ["{ __schema { types { name } } }", '{ __type(name: "Ticket") { name } }']


@pytest.mark.parametrize("query", READING)
async def test_the_schema_is_read_in_production_by_those_who_explore(serve, tokens, query):
    api = await serve(production=True)
    for role in (Role.ADMIN, Role.DISPATCHER):
        act_as(api, tokens, role)
        assert await api(query)
    for role in (Role.AUDITOR, Role.ENGINEER, None):
        act_as(api, tokens, role)
        answer = await api.answer(query)
        assert "data" not in answer
        assert "introspection has been disabled" in answer["errors"][0]["message"]


def test_everybody_has_been_asked_whether_they_may_explore():
    for what in ExplorePermission:
        may = {role for role in Role if can_explore(Actor("x", role, None), what)}
        assert may == {Role.ADMIN, Role.DISPATCHER}
        assert not can_explore(None, what)


BESIDE = {
    name
    for kind in schema.build_schema()._schema.type_map.values()
    for name in (*getattr(kind, "fields", {}), *getattr(kind, "values", {}))
}
"""What there is beside something that an attacker has guessed: fields and values, and types need them."""

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
MISSPELT = [
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
async def test_guesses_that_are_nearly_right_lead_nowhere(serve, tokens, guess):
    """As clairvoyance guesses. An error names the type of what was named, and nothing that is beside it."""
    api = await serve(production=True, errors=100)
    act_as(api, tokens, Role.ENGINEER)
    for word in MISSPELT:
        query = guess % word
        errors = (await api.answer(query))["errors"]
        quoted = re.findall(r"'([^']*)'", " ".join(error["message"] for error in errors))
        assert quoted
        assert BESIDE & set(re.findall(r"\w+", " ".join(quoted))) <= set(re.findall(r"\w+", query))
