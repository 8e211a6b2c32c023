"""What the service tells of its own schema: everything in development, nothing in production."""

from __future__ import annotations

import pytest
from graphql import get_introspection_query


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


@pytest.mark.parametrize("query", ["{ __schema { types { name } } }", '{ __type(name: "Ticket") { name } }'])
async def test_the_schema_is_not_read_in_production(serve, query):
    answer = await (await serve(production=True)).answer(query)
    assert "data" not in answer
    assert "introspection has been disabled" in answer["errors"][0]["message"]
