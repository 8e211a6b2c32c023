"""The product through PgBouncer in transaction mode: what it cannot carry is not asked of it."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager

import asyncpg
import pytest

from app import config, doctor
from app.asgi import create_app
from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.run import run
from app.db.connections import connect
from app.db.pool import open_database
from tests.apps import authorization, client_of
from tests.conftest import SECRET
from tests.databases import new_server
from tests.factories import DISPATCHER, Factories
from tests.pgbouncer import ROLE, give_role, pgbouncer, skip_unless_there, through

CLIENTS = 20
CONNECTIONS = 3


@pytest.fixture(scope="module")
async def own_server():
    skip_unless_there()
    with new_server() as url:
        await give_role(url)
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
        held = [await Factories(db).assigned() for _ in range(CLIENTS)]
    async with serving(settings, tokens) as client:

        async def ask(query, **variables):
            answer = await client.post("/graphql", json={"query": query, "variables": variables})
            return answer.json()["data"]

        changed = await asyncio.gather(*(ask(ACCEPT, a=str(one.id), k="k" + str(one.id)) for one in held))
        assert changed == [{"acceptAssignment": {"status": "ACCEPTED"}}] * CLIENTS
        read = await asyncio.gather(*(ask(READ, t=one.ticket_id) for one in held))
        assert {one["ticket"]["assignmentHistory"][0]["status"] for one in read} == {"ACCEPTED"}
        assert (await client.get("/readyz")).status_code == 200
    async with connect(own_url) as conn:
        lent = await conn.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND datname = current_database()", ROLE
        )
    assert 1 <= lent <= CONNECTIONS


async def test_rivals_take_turns_over_two_pools(pooler, own_url):
    pooled = through(pooler, own_url)
    async with (
        open_database(pooled, pool_size=5, pooled=True) as db,
        open_database(pooled, pool_size=5, pooled=True) as other,
    ):
        held = await Factories(db).assigned()
        command = AcceptAssignment(assignment_id=held.id)
        answers = await asyncio.gather(
            *(run(d, DISPATCHER, accept_assignment, command, idempotency_key="k") for d in (db, other) * 10)
        )
        assert all(answer == answers[0] for answer in answers)


async def test_the_doctor_says_what_the_role_lacks(settings, own_server, own_url):
    async with connect(own_server) as conn:
        await conn.execute(
            f"ALTER ROLE {ROLE} RESET lock_timeout; ALTER ROLE {ROLE} SET search_path = public"
        )
    # Sessions that have begun stay as they are.
    async with connect(own_url) as conn:
        await conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", ROLE)
    said = []
    await doctor.examine(config.load(settings), say=said.append)
    mend = [found[0] for line in said if (found := re.findall(r"ALTER ROLE .*;", line))]
    assert mend == [
        f"ALTER ROLE \"{ROLE}\" SET lock_timeout = '5000ms';",
        f'ALTER ROLE "{ROLE}" SET search_path = baton, public;',
    ]
    async with connect(own_server) as conn:
        for statement in mend:
            await conn.execute(statement)
        await conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", ROLE)
    said.clear()
    await doctor.examine(config.load(settings), say=said.append)
    assert not any("ALTER ROLE" in line for line in said)


async def test_the_pooler_refuses_what_we_do_without(pooler, own_url):
    """Or this file shows nothing."""
    with pytest.raises(asyncpg.ProtocolViolationError, match="unsupported startup parameter"):
        await asyncpg.connect(through(pooler, own_url), server_settings={"lock_timeout": "5s"})
