"""What the service tells of its own schema: everything in development, nothing in production."""

from __future__ import annotations

import pytest
from graphql import get_introspection_query

from app.domain.model import Actor, Role
from app.domain.policy import Exploring, may_explore
from tests.graphql.conftest import act_as


async def test_graphiql_reads_the_schema_in_development(ask):
    everything = get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    assert (await ask(everything))["__schema"]["types"]


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
    for what in Exploring:
        may = {role for role in Role if may_explore(Actor("x", role, None), what)}
        assert may == {Role.ADMIN, Role.DISPATCHER}
        assert not may_explore(None, what)
