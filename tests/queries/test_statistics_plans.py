"""A report reads what happened in its period, through the indexes that were made for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.db import sql
from app.db.connections import connect
from app.db.pool import open_database
from app.queries import statistics
from app.queries.server import planned_for_values
from tests.benchmarks.statistics import LOAD, MORE, narrowings
from tests.databases import new_database
from tests.pgbouncer import USE_FOR_ALL_TESTS
from tests.queries.test_plans import indexes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.db.connections import Connection

TICKETS = 20_000
GIVEN, ENDED, REPORTED = "engineer_assignments_given", "engineer_assignments_ended", "service_tickets_newest"
WALKS = {
    "tickets_by_escalations": {REPORTED, "engineer_assignments_sequence_once"},
    "escalations_by_tier": {ENDED, "engineer_assignments_sequence_once"},
    "work_of_engineers": {GIVEN, ENDED, "engineer_assignments_sequence_once"},
    "time_to_accept": {GIVEN},
    "time_to_resolve": {ENDED, "service_tickets_pkey"},
    "outcomes": {ENDED},
    "rejections_by_reason": {ENDED},
    "time_by_tier": {ENDED},
    "time_by_equipment_model": {ENDED},
    "time_by_customer": {ENDED, "service_tickets_pkey"},
    "series": {REPORTED, GIVEN, ENDED},
}
TEXT = {
    query.name.partition(".")[2]: query.text for query in sql.LOADED if query.name.startswith("statistics.")
}


@pytest.fixture(scope="module")
async def full(server: str, template: str) -> AsyncIterator[Connection]:
    async with new_database(server, template) as url:
        async with connect(url) as conn:
            await conn.execute(LOAD.format(tickets=TICKETS))
            await conn.execute("VACUUM ANALYZE")
        async with open_database(url, pool_size=1) as db, db.connection() as conn, planned_for_values(conn):
            yield conn


def test_every_report_is_here():
    assert set(WALKS) == set(TEXT)


@pytest.mark.parametrize("statement", WALKS)
@pytest.mark.parametrize("narrowing", narrowings(TICKETS, days=1))
async def test_a_report_walks_the_index_of_its_period(full, statement, narrowing):
    wanted = narrowings(TICKETS, days=1)[narrowing]
    arguments = *wanted.as_parameters, *MORE.get(statement, ())
    found = indexes(await full.fetchval(f"EXPLAIN (FORMAT JSON) {TEXT[statement]}", *arguments))
    if narrowing == "all":
        assert found >= WALKS[statement]


@pytest.mark.skipif(
    USE_FOR_ALL_TESTS, reason="through the pooler no statement is kept, and each is planned anew"
)
async def test_a_report_is_planned_for_its_values_however_often_it_is_asked_for(full):
    wanted = narrowings(TICKETS, days=1)["engineer"]
    for _ in range(10):
        await statistics.outcomes(full, wanted)
    kept = "SELECT generic_plans FROM pg_prepared_statements WHERE statement = $1"
    assert await full.fetchval(kept, TEXT["outcomes"]) == 0
