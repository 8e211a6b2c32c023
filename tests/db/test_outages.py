"""Timeouts while the database does not respond, and recovery when it is back."""

import asyncio
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.run import run
from app.db import pool
from app.db.connections import TimeLimits, connect
from app.db.errors import OutcomeUnknown, Unavailable
from app.db.pool import open_database
from app.graphql.admission.limits import Limits
from app.queries import assignments
from tests.apps import authorization, client_of, make_app
from tests.databases import frozen, new_server
from tests.factories import DISPATCHER, Factories
from tests.polling import until

SHORT = TimeLimits(connect_s=0.5, acquire_s=0.5, lock_s=0.5, statement_s=0.5)
TEST_TIMEOUT_S = 60


@pytest.fixture(scope="module")
def own_server():
    """A server that tests can freeze. COMMIT waits for a standby if one is configured."""
    with new_server(synchronous_commit="on") as url:
        yield url


@pytest.fixture
def _short_margin(monkeypatch):
    """Give up on a server that does not respond 0.2 s instead of 2 s after its own timeout."""
    monkeypatch.setattr(pool, "_RESPONSE_MARGIN_S", 0.2)


ASSIGN = """
mutation ($ticket: ID!, $engineer: ID!) {
    assignTicket(input: {ticketId: $ticket, engineerId: $engineer, idempotencyKey: "k"}) {
        __typename ... on Assignment { id } } }
"""


@pytest.mark.usefixtures("_short_margin")
async def test_requests_fail_while_the_server_is_frozen_and_work_again(own_url, tokens):
    async with open_database(own_url, pool_size=1) as db:
        make = Factories(db)
        command = {"ticket": await make.ticket(), "engineer": str(await make.engineer())}
    app = make_app(own_url, database_pool_size=3, time_limits=SHORT, limits=Limits(read_timeout_s=1))
    async with (
        asyncio.timeout(TEST_TIMEOUT_S),
        client_of(app, headers=authorization()) as client,
    ):

        async def ask(query, **variables):
            response = await client.post("/graphql", json={"query": query, "variables": variables})
            return response.json()

        read = "{ tickets { nodes { id } } }"
        assert "errors" not in await ask(read)
        async with frozen(own_url):
            responses = await asyncio.gather(
                *(ask(read) for _ in range(10)), *(ask(ASSIGN, **command) for _ in range(10))
            )
            errors = [error["extensions"] for response in responses for error in response["errors"]]
            assert {e["code"] for e in errors} <= {"UNAVAILABLE", "TIMEOUT"}
            assert {e["retryAfterSeconds"] for e in errors if e["code"] == "UNAVAILABLE"} == {1}
            assert (await client.get("/livez")).status_code == 200
            assert (await client.get("/readyz")).status_code == 503
        response = await ask(ASSIGN, **command)
        while "errors" in response:
            response = await ask(ASSIGN, **command)
        assert response["data"]["assignTicket"]["__typename"] == "Assignment"
        assert (await ask(ASSIGN, **command))["data"] == response["data"]
        assert (await client.get("/readyz")).status_code == 200


HOLDS_AND_WAITS = """
SELECT EXISTS (SELECT FROM pg_locks AS held JOIN pg_locks AS awaited USING (pid)
               WHERE held.relation = $1::text::regclass AND held.granted AND NOT awaited.granted)"""
READ = "query ($t: ID!) { ticket(id: $t) { currentAssignment { engineer { name } } } }"


@pytest.mark.parametrize(
    ("document", "first", "second", "codes"),
    [
        (READ, "service_tickets", "engineer_assignments", {"UNAVAILABLE"}),
        (ASSIGN, "engineers", "service_tickets", set()),
    ],
    ids=["read", "mutation"],
)
async def test_a_deadlock_is_retried_or_unavailable(own_url, document, first, second, codes):
    """The server waits for the second table, locked by a session that then waits for the first."""
    app = make_app(own_url, database_pool_size=1)
    async with (
        asyncio.timeout(TEST_TIMEOUT_S),
        open_database(own_url, pool_size=1) as db,
        client_of(app, headers=authorization()) as client,
        connect(own_url) as other,
    ):
        make = Factories(db)
        variables = {"t": await make.ticket(), "engineer": str(await make.engineer())}
        variables["ticket"] = variables["t"]
        await other.execute("SET deadlock_timeout = '1min'")  # the server is the victim
        async with other.transaction():
            await other.execute(f"LOCK TABLE {second} IN ACCESS EXCLUSIVE MODE")
            asking = asyncio.create_task(
                client.post("/graphql", json={"query": document, "variables": variables})
            )
            await until(lambda: other.fetchval(HOLDS_AND_WAITS, first))
            await other.execute(f"LOCK TABLE {first} IN ACCESS EXCLUSIVE MODE")
        answer = (await asking).json()
    assert {error["extensions"]["code"] for error in answer.get("errors", ())} == codes, answer


@asynccontextmanager
async def no_standby(admin):
    """Let every COMMIT wait for a standby that does not exist."""
    await admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'missing'")
    await admin.execute("SELECT pg_reload_conf()")
    try:
        # Effective once the checkpointer has read it, which cannot be queried.
        with suppress(TimeoutError):
            while True:
                await admin.execute("SELECT pg_logical_emit_message(true, '', '')", timeout=0.2)
        yield
    finally:
        await admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
        await admin.execute("SELECT pg_reload_conf()")


CANCEL = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.mark.usefixtures("_short_margin")
@pytest.mark.parametrize("who", ["server", "client"])
async def test_a_commit_without_its_standby_has_an_unknown_outcome(own_url, who):
    """If its wait is cancelled, the server confirms with a warning; a client that times out knows nothing."""
    limits = SHORT if who == "client" else TimeLimits()
    async with open_database(own_url, pool_size=2, limits=limits) as db, connect(own_url) as admin:
        make = Factories(db)
        command = AssignTicket(ticket_id=await make.ticket(), engineer_id=await make.engineer())
        async with no_standby(admin):
            assigning = asyncio.create_task(run(db, DISPATCHER, assign_ticket, command, idempotency_key="k"))
            while who == "server" and not await admin.fetchval(CANCEL):
                pass
            with pytest.raises(OutcomeUnknown) as raised:
                await assigning
        expected = asyncpg.PostgresWarning if who == "server" else TimeoutError
        assert isinstance(raised.value.__cause__, expected)
        result = await run(db, DISPATCHER, assign_ticket, command, idempotency_key="k")
        assert list(await assignments.history_of_tickets(admin, [command.ticket_id])) == [result]


async def test_a_read_only_server_still_serves_reads(own_url):
    async with open_database(own_url, pool_size=2) as db, connect(own_url) as admin:
        make = Factories(db)
        command = AssignTicket(ticket_id=await make.ticket(), engineer_id=await make.engineer())
        name = await admin.fetchval("SELECT current_database()")
        await admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        async with open_database(own_url, pool_size=2) as standby:
            with pytest.raises(Unavailable):
                await run(standby, DISPATCHER, assign_ticket, command)
            async with standby.connection() as conn:
                assert list(await assignments.history_of_tickets(conn, [command.ticket_id])) == []


async def test_an_exhausted_pool_is_unavailable(own_url):
    async with (
        open_database(own_url, pool_size=1, limits=TimeLimits(acquire_s=0.1)) as db,
        db.connection(),
    ):
        with pytest.raises(Unavailable):
            async with db.connection():
                pass


async def test_a_read_of_a_locked_table_is_unavailable(own_url):
    limits = TimeLimits(lock_s=0.05)
    async with open_database(own_url, pool_size=1, limits=limits) as db, connect(own_url) as other:
        async with other.transaction():
            await other.execute("LOCK TABLE engineers")
            with pytest.raises(Unavailable):
                async with db.connection() as conn:
                    await conn.fetch("SELECT FROM engineers")
        async with db.connection() as conn:
            await conn.fetch("SELECT FROM engineers")
