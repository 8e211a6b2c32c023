"""The product through PgBouncer in transaction mode."""

import asyncio
import re
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest

from app import config, doctor
from app.asgi import create_app
from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.run import run
from app.db.connections import connect
from app.db.pool import open_database
from tests.apps import SECRET, authorization, client_of
from tests.databases import new_server
from tests.factories import DISPATCHER, Factories
from tests.pgbouncer import ROLE, create_role, pgbouncer, skip_unless_installed, through
from tests.processes import assert_one_sentence

CLIENTS = 20
CONNECTIONS = 3


@pytest.fixture(scope="module")
async def own_server():
    skip_unless_installed()
    with new_server() as url:
        await create_role(url)
        yield url


@pytest.fixture(scope="module")
def pooler(own_server):
    with pgbouncer(own_server, connections=CONNECTIONS) as url:
        yield url


@pytest.fixture
def settings(pooler, own_url):
    return {
        "DATABASE_URL": through(pooler, own_url),
        "DATABASE_DIRECT_URL": own_url,
        "DATABASE_POOLER": "transaction",
        "DATABASE_ACQUIRE_TIMEOUT_S": "30",
        "AUTH_DEV_SECRET": SECRET,
    }


@asynccontextmanager
async def serving(settings, tokens):
    app = create_app(config.load(settings))
    async with client_of(app, headers=authorization()) as client:
        yield client


READ = "query ($t: ID!) { ticket(id: $t) { assignmentHistory { status engineer { name } } } }"
ACCEPT = """mutation ($a: ID!, $k: String!) {
    acceptAssignment(input: {assignmentId: $a, idempotencyKey: $k}) {
        ... on Assignment { status } ... on Refusal { code } } }"""


async def test_many_clients_share_few_connections(settings, own_url, tokens):
    async with open_database(own_url, pool_size=2) as db:
        current = [await Factories(db).assigned() for _ in range(CLIENTS)]
    async with serving(settings, tokens) as client:

        async def ask(query, **variables):
            response = await client.post("/graphql", json={"query": query, "variables": variables})
            return response.json()["data"]

        accepted = await asyncio.gather(*(ask(ACCEPT, a=str(a.id), k=f"k{a.id}") for a in current))
        assert accepted == [{"acceptAssignment": {"status": "ACCEPTED"}}] * CLIENTS
        tickets = await asyncio.gather(*(ask(READ, t=a.ticket_id) for a in current))
        assert {data["ticket"]["assignmentHistory"][0]["status"] for data in tickets} == {"ACCEPTED"}
        assert (await client.get("/readyz")).status_code == 200
    async with connect(own_url) as conn:
        connections = await conn.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND datname = current_database()", ROLE
        )
    assert 1 <= connections <= CONNECTIONS


async def test_concurrent_repeats_over_two_pools_get_the_same_result(pooler, own_url):
    pooled = through(pooler, own_url)
    async with (
        open_database(pooled, pool_size=5, pooled=True) as db,
        open_database(pooled, pool_size=5, pooled=True) as other,
    ):
        assignment = await Factories(db).assigned()
        command = AcceptAssignment(assignment_id=assignment.id)
        results = await asyncio.gather(
            *(run(d, DISPATCHER, accept_assignment, command, idempotency_key="k") for d in (db, other) * 10)
        )
        assert all(result == results[0] for result in results)


async def test_the_doctor_reports_missing_role_settings(settings, own_server, own_url):
    async with connect(own_server) as conn:
        await conn.execute(
            f"ALTER ROLE {ROLE} RESET lock_timeout; ALTER ROLE {ROLE} SET search_path = public"
        )
    # Open sessions keep their settings.
    async with connect(own_url) as conn:
        await conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", ROLE)
    lines = []
    await doctor.examine(config.load(settings), emit=lines.append)
    alter = f'ALTER ROLE "{ROLE}" IN DATABASE "{urlsplit(own_url).path[1:]}"'
    fixes = [match[0] for line in lines if (match := re.findall(r"ALTER ROLE .*;", line))]
    assert fixes == [
        f"{alter} SET lock_timeout = '5000ms';",
        f"{alter} SET search_path = baton, public;",
    ]
    async with connect(own_server) as conn:
        for statement in fixes:
            await conn.execute(statement)
        await conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", ROLE)
    lines.clear()
    await doctor.examine(config.load(settings), emit=lines.append)
    assert not any("ALTER ROLE" in line for line in lines)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("gin_fuzzy_search_limit", "1"),
        ("default_transaction_isolation", "serializable"),
        ("search_path", "public"),
    ],
)
async def test_a_server_refuses_to_start_with_other_role_settings(cli, settings, own_url, setting, value):
    """The pooler rejects these settings in a connection."""
    change = f'ALTER ROLE {ROLE} IN DATABASE "{urlsplit(own_url).path[1:]}"'
    async with connect(own_url) as conn:
        await conn.execute(f"{change} SET {setting} = '{value}'")
    result = await asyncio.to_thread(cli, "serve", "--port", "0", **settings)
    assert_one_sentence(result, setting, "As an administrator: ALTER ROLE")


async def test_the_pooler_rejects_session_settings(pooler, own_url):
    """Otherwise the tests of this file would prove nothing."""
    with pytest.raises(asyncpg.ProtocolViolationError, match="unsupported startup parameter"):
        await asyncpg.connect(through(pooler, own_url), server_settings={"lock_timeout": "5s"})
