"""Statistics read only their period, through the indexes intended for it."""

from collections.abc import AsyncIterator

import pytest

from app.db import sql
from app.db.connections import Connection, connect
from app.db.pool import open_database
from app.queries import statistics
from app.queries.server import planned_for_values
from tests.benchmarks.statistics import EXTRA_ARGUMENTS, LOAD, filters_by_name
from tests.databases import new_database
from tests.pgbouncer import USE_FOR_ALL_TESTS
from tests.queries.test_plans import indexes

TICKETS = 20_000
ASSIGNED, ENDED, CREATED = (
    "engineer_assignments_given",
    "engineer_assignments_ended",
    "service_tickets_newest",
)
INDEXES = {
    "tickets_by_escalations": {CREATED, "engineer_assignments_sequence_once"},
    "escalations_by_tier": {ENDED, "engineer_assignments_sequence_once"},
    "work_of_engineers": {ASSIGNED, ENDED, "engineer_assignments_sequence_once"},
    "time_to_accept": {ASSIGNED},
    "time_to_resolve": {ENDED, "service_tickets_pkey"},
    "outcomes": {ENDED},
    "rejections_by_reason": {ENDED},
    "time_by_tier": {ENDED},
    "time_by_equipment_model": {ENDED},
    "time_by_customer": {ENDED, "service_tickets_pkey"},
    "series": {CREATED, ASSIGNED, ENDED},
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


def test_every_statement_has_its_indexes():
    assert set(INDEXES) == set(TEXT)


@pytest.mark.parametrize("statement", INDEXES)
@pytest.mark.parametrize("filter_name", filters_by_name(TICKETS, days=1))
async def test_statement_uses_the_index_of_its_period(full, statement, filter_name):
    filter = filters_by_name(TICKETS, days=1)[filter_name]
    arguments = *filter.as_parameters, *EXTRA_ARGUMENTS.get(statement, ())
    used = indexes(await full.fetchval(f"EXPLAIN (FORMAT JSON) {TEXT[statement]}", *arguments))
    if filter_name == "all":
        assert used >= INDEXES[statement]


@pytest.mark.skipif(USE_FOR_ALL_TESTS, reason="the pooler keeps no prepared statements")
async def test_repeated_statement_keeps_custom_plans(full):
    filter = filters_by_name(TICKETS, days=1)["engineer"]
    for _ in range(10):
        await statistics.outcomes(full, filter)
    plans = "SELECT generic_plans FROM pg_prepared_statements WHERE statement = $1"
    assert await full.fetchval(plans, TEXT["outcomes"]) == 0
