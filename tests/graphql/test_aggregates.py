"""Counts and figures of one operation, which read all matching rows."""

import asyncio
from typing import Any

import pytest

from app.db.pool import Database
from app.queries import billing, engineers, rates, statistics, tickets

HEAVY = [
    "tickets { totalCount }",
    'tickets(filter: {search: "x"}) { nodes { id } }',
    "tickets(filter: {priority: LOW}) { nodes { id } }",
    "engineers { totalCount }",
    'engineers(search: "x") { nodes { id } }',
    'engineer(id: "%s") { assignments { totalCount } }',
    'hourlyRates(engineerId: "%s") { totalCount }',
    "statistics(%s) { tickets { total: __typename } }",
    "billableTime(%s) { totals { lines } }",
    "billableTime(%s) { lines { nodes { hours: __typename } } }",
]
LIGHT = [
    'ticket(id: "x") { id assignmentHistory { id } }',
    "tickets { nodes { id currentAssignment { id } } }",
    "tickets(filter: {status: NEW}) { nodes { id } }",
    "engineers { nodes { id } }",
    'engineer(id: "%s") { name activeAssignments assignments { nodes { id } } }',
]
YEAR = 'from: "2026-01-01T00:00:00Z", to: "2027-01-01T00:00:00Z"'


@pytest.mark.parametrize(("query", "heavy"), [(q, True) for q in HEAVY] + [(q, False) for q in LIGHT])
async def test_what_may_read_many_rows_is_heavy(monkeypatch, ask, make, query, heavy):
    connection, used = Database.connection, []

    def recording(self: Database, *, heavy: bool = False) -> Any:
        used.append(heavy)
        return connection(self, heavy=heavy)

    engineer = await make.engineer()
    monkeypatch.setattr(Database, "connection", recording)
    await ask("{ " + query.replace("%s", YEAR if "(%s" in query else str(engineer)) + " }")
    assert any(used) is heavy


async def test_heavy_statements_of_an_operation_are_executed_one_after_another(monkeypatch, ask, make):
    running, concurrency = 0, []

    def observe(module, name):
        query = getattr(module, name)

        async def observed(*args, **kwargs):
            nonlocal running
            running += 1
            concurrency.append(running)
            try:
                await asyncio.sleep(0)
                return await query(*args, **kwargs)
            finally:
                running -= 1

        monkeypatch.setattr(module, name, observed)

    observe(tickets, "count")
    observe(tickets, "newest")
    observe(engineers, "count")
    observe(rates, "count_of_engineer")
    observe(statistics, "ticket_figures")
    observe(billing, "totals")
    engineer = await make.engineer()
    await ask(
        f"""{{
            a: tickets(first: 1, filter: {{search: "a"}}) {{ totalCount }}
            b: tickets(first: 1, filter: {{search: "b"}}) {{ totalCount }}
            e: tickets(first: 1, filter: {{priority: LOW}}) {{ nodes {{ id }} }}
            engineers {{ totalCount }}
            hourlyRates(engineerId: "{engineer}") {{ totalCount }}
            c: statistics({YEAR}) {{ tickets {{ total: __typename }} }}
            d: statistics({YEAR}) {{ tickets {{ total: __typename }} }}
            billableTime({YEAR}) {{ totals {{ lines }} lines {{ totalCount }} }}
        }}"""
    )
    assert concurrency == [1] * 11
