"""Settings of the role or the database do not change what the product's statements mean."""

import asyncio
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from app.db.connections import REFUSED_SETTINGS, SESSION_SETTINGS, STATEMENT_SETTINGS, connect
from app.db.grants import grant
from app.db.pool import open_database
from app.demo.load import seed
from app.domain.model import Role
from app.queries import server
from tests.apps import authorization, client_of, make_app
from tests.databases import new_database
from tests.graphql.types.test_billing import BILLABLE_TIME
from tests.graphql.types.test_statistics import ALL_FIGURES
from tests.processes import assert_one_sentence

PERIOD = {"from": "2026-05-01T00:00:00Z", "to": "2026-07-01T12:00:00Z"}
TICKETS = """query ($search: String, $after: String) {
    tickets(first: 20, after: $after, filter: {search: $search}) {
        totalCount pageInfo { endCursor }
        nodes {
            id createdAt updatedAt resolvedAt equipment { id name }
            assignmentHistory {
                id assignedAt completedAt timeSpentHours engineer { name skills }
                partsUsed { partName quantity cost }
            } } } }"""
MANY_TICKETS = """
INSERT INTO service_tickets (id, ticket_number, customer_name, created_at)
SELECT 'N-' || n, 'N-' || n, 'Clinic ' || n % 100, '2026-01-01Z' FROM generate_series(1, 3000) n"""
# Combined where one alone has no effect on these data.
ODD_SETTINGS = [
    {"datestyle": "SQL, DMY", "intervalstyle": "sql_standard", "timezone": "Asia/Kathmandu"},
    {"datestyle": "German", "intervalstyle": "iso_8601", "timezone": "-3:30", "client_encoding": "LATIN1"},
    {"extra_float_digits": "-15", "bytea_output": "escape", "xmlbinary": "hex", "xmloption": "document"},
    {"lc_numeric": "C", "lc_monetary": "C", "lc_time": "C", "default_text_search_config": "simple"},
    {"standard_conforming_strings": "off", "escape_string_warning": "off"},
    {"standard_conforming_strings": "off", "backslash_quote": "on"},
    {"quote_all_identifiers": "on", "transform_null_equals": "on", "array_nulls": "off"},
    {
        "plpgsql.variable_conflict": "use_column",
        "plpgsql.extra_errors": "all",
        "check_function_bodies": "off",
    },
    {"search_path": '"$user", pg_catalog'},
    {"row_security": "off"},
    {"default_transaction_isolation": "serializable", "default_transaction_deferrable": "on"},
    {"default_transaction_isolation": "repeatable read", "client_min_messages": "error"},
    {"statement_timeout": "1ms", "lock_timeout": "1ms", "idle_in_transaction_session_timeout": "1ms"},
    {"idle_session_timeout": "1ms"},
    {"gin_fuzzy_search_limit": "1", "enable_seqscan": "off", "enable_indexscan": "off"},
    {"pg_trgm.similarity_threshold": "1", "pg_trgm.word_similarity_threshold": "1"},
    {"enable_nestloop": "off", "enable_hashjoin": "off", "enable_memoize": "off", "enable_sort": "off"},
    {"enable_indexscan": "off", "enable_bitmapscan": "off", "enable_indexonlyscan": "off"},
    {"enable_partition_pruning": "off", "enable_partitionwise_join": "on", "constraint_exclusion": "off"},
    {"from_collapse_limit": "1", "join_collapse_limit": "1", "geqo_threshold": "2"},
    {"jit": "on", "jit_above_cost": "0", "plan_cache_mode": "force_custom_plan"},
    {"max_parallel_workers_per_gather": "4", "debug_parallel_query": "on", "force_parallel_mode": "on"},
]


@pytest.fixture(scope="module")
async def database(server, template):
    """The URL for the server's role, and the administrator's connection."""
    async with new_database(server, template) as url:
        async with open_database(url, pool_size=1) as db:
            await seed(db, tickets=200, now=datetime(2026, 7, 1, 12, tzinfo=UTC))
        role = f"server_{uuid4().hex}"
        async with connect(url) as admin:
            await admin.execute(MANY_TICKETS)
            await admin.execute(
                "VACUUM ANALYZE service_tickets"
            )  # also empties the pending list of the index
            await admin.execute(f"CREATE ROLE {role} LOGIN; ALTER TABLE equipment ENABLE ROW LEVEL SECURITY")
            await admin.execute("CREATE POLICY everything ON equipment USING (true)")
            await grant(admin, role)
            yield urlsplit(url)._replace(netloc=f"{role}@").geturl(), admin
            await admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.fixture(scope="module")
async def usual_results(database):
    return await read_all(database[0])


@pytest.fixture(params=ODD_SETTINGS, ids=str)
async def odd_url(database, usual_results, request):
    """The URL for the server's role, in a database with these settings."""
    url, admin = database
    name = urlsplit(url).path.removeprefix("/")
    known = {row[0] for row in await admin.fetch("SELECT lower(name) FROM pg_settings")}
    for setting, value in request.param.items():
        if setting in known or "." in setting:
            literal = value if setting in ("search_path", "datestyle") else f"'{value}'"
            await admin.execute(f"ALTER DATABASE {name} SET {setting} = {literal}")
    yield url
    await admin.execute(f"ALTER DATABASE {name} RESET ALL")


async def read_all(url):
    """Tickets of two pages, a search, a bill and all statistics."""
    async with client_of(make_app(url), headers=authorization(Role.ADMIN)) as client:

        async def read(query, **variables):
            response = (await client.post("/graphql", json={"query": query, "variables": variables})).json()
            assert "errors" not in response, response
            return response["data"]

        first = await read(TICKETS)
        after = first["tickets"]["pageInfo"]["endCursor"]
        return [
            first,
            await read(TICKETS, after=after),
            await read(TICKETS, search="clinic 77"),
            await read(TICKETS, search="c%_\\ a"),
            await read(BILLABLE_TIME, **PERIOD),
            await read(ALL_FIGURES, **PERIOD),
            (await client.get("/billing.csv", params=PERIOD)).text,
        ]


async def test_results_are_the_same_under_odd_settings(odd_url, usual_results):
    assert await read_all(odd_url) == usual_results


@pytest.mark.parametrize(
    ("setting", "value"), [("session_replication_role", "replica"), ("zero_damaged_pages", "on")]
)
async def test_a_server_refuses_settings_that_only_a_superuser_can_change(cli, database, setting, value):
    url, admin = database
    name = urlsplit(url).path.removeprefix("/")
    await admin.execute(f"ALTER DATABASE {name} SET {setting} = '{value}'")
    try:
        result = await asyncio.to_thread(cli, "serve", "--port", "0", DATABASE_URL=url)
        assert_one_sentence(result, setting, "As an administrator: ALTER ROLE")
        await admin.execute(result.err.partition("administrator: ")[2].strip())
        async with connect(url, SESSION_SETTINGS) as conn:
            assert await server.settings_to_change(conn, REFUSED_SETTINGS) == []
    finally:
        await admin.execute(f"ALTER DATABASE {name} RESET ALL")


async def test_the_migrator_has_the_same_settings(odd_url):
    async with connect(odd_url) as conn:
        assert await server.settings_to_change(conn, STATEMENT_SETTINGS) == []
