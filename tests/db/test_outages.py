"""A database that stops answering is waited for within limits, and is used again when it is back."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.run import run
from app.db.connections import TimeLimits, connect
from app.db.errors import OutcomeUnknown, Unavailable
from app.db.pool import open_database
from app.graphql.admission.limits import Limits
from app.queries import assignments
from tests.apps import authorization, client_of, make_app
from tests.databases import frozen, new_server
from tests.factories import DISPATCHER, Factories

SHORT = TimeLimits(connect_s=0.5, acquire_s=0.5, lock_s=0.5, statement_s=0.5)
FAR_TOO_LONG_S = 60


@pytest.fixture(scope="module")
def own_server():
    """A server that may be stopped, and set up so that COMMIT waits for a standby once there is one."""
    with new_server(synchronous_commit="on") as url:
        yield url


ASSIGN = """
mutation ($ticket: ID!, $engineer: ID!) {
    assignTicket(input: {ticketId: $ticket, engineerId: $engineer, idempotencyKey: "k"}) {
        __typename ... on Assignment { id } } }
"""


async def test_a_server_that_stands_still_is_answered_for_and_used_again(own_url, tokens):
    async with open_database(own_url, pool_size=1) as db:
        make = Factories(db)
        command = {"ticket": await make.ticket(), "engineer": str(await make.engineer())}
    app = make_app(own_url, database_pool_size=3, time_limits=SHORT, limits=Limits(read_timeout_s=1))
    async with (
        asyncio.timeout(FAR_TOO_LONG_S),
        client_of(app, headers=authorization()) as client,
    ):

        async def ask(query, **variables):
            response = await client.post("/graphql", json={"query": query, "variables": variables})
            return response.json()

        reading = "{ tickets { nodes { id } } }"
        assert "errors" not in await ask(reading)
        async with frozen(own_url):
            answers = await asyncio.gather(
                *(ask(reading) for _ in range(10)), *(ask(ASSIGN, **command) for _ in range(10))
            )
            told = [error["extensions"] for answer in answers for error in answer["errors"]]
            assert Counter(extensions["code"] for extensions in told).keys() <= {"UNAVAILABLE", "TIMEOUT"}
            assert {e["retryAfterSeconds"] for e in told if e["code"] == "UNAVAILABLE"} == {1}
            assert (await client.get("/livez")).status_code == 200
            assert (await client.get("/readyz")).status_code == 503
        answer = await ask(ASSIGN, **command)
        while "errors" in answer:
            answer = await ask(ASSIGN, **command)
        assert answer["data"]["assignTicket"]["__typename"] == "Assignment"
        assert (await ask(ASSIGN, **command))["data"] == answer["data"]
        assert (await client.get("/readyz")).status_code == 200


@asynccontextmanager
async def no_standby(admin):
    """Every COMMIT waits for a standby that is not there."""
    await admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'none_there'")
    await admin.execute("SELECT pg_reload_conf()")
    try:
        # The setting counts when the server's checkpointer has read it, which nobody can ask for.
        with suppress(TimeoutError):
            while True:
                await admin.execute("SELECT pg_logical_emit_message(true, '', '')", timeout=0.2)
        yield
    finally:
        await admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
        await admin.execute("SELECT pg_reload_conf()")


CANCEL = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.mark.parametrize("who", ["the server", "we"])
async def test_a_commit_that_no_standby_has_is_not_told_as_done(own_url, who):
    """A server that gives up waiting says COMMIT, and warns; for us to give up says nothing at all."""
    limits = SHORT if who == "we" else TimeLimits()
    async with open_database(own_url, pool_size=2, limits=limits) as db, connect(own_url) as admin:
        make = Factories(db)
        command = AssignTicket(ticket_id=await make.ticket(), engineer_id=await make.engineer())
        async with no_standby(admin):
            assigning = asyncio.create_task(run(db, DISPATCHER, assign_ticket, command, idempotency_key="k"))
            while who == "the server" and not await admin.fetchval(CANCEL):
                pass
            with pytest.raises(OutcomeUnknown) as told:
                await assigning
        expected = asyncpg.PostgresWarning if who == "the server" else TimeoutError
        assert isinstance(told.value.__cause__, expected)
        answer = await run(db, DISPATCHER, assign_ticket, command, idempotency_key="k")
        assert await assignments.history_of_tickets(admin, [command.ticket_id]) == [answer]


async def test_a_server_that_takes_no_writes_still_reads(own_url):
    async with open_database(own_url, pool_size=2) as db, connect(own_url) as admin:
        make = Factories(db)
        command = AssignTicket(ticket_id=await make.ticket(), engineer_id=await make.engineer())
        name = await admin.fetchval("SELECT current_database()")
        await admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        async with open_database(own_url, pool_size=2) as standby:
            with pytest.raises(Unavailable):
                await run(standby, DISPATCHER, assign_ticket, command)
            async with standby.connection() as conn:
                assert await assignments.history_of_tickets(conn, [command.ticket_id]) == []


async def test_a_pool_that_is_used_up_is_said_to_be(own_url):
    async with (
        open_database(own_url, pool_size=1, limits=TimeLimits(acquire_s=0.1)) as db,
        db.connection(),
    ):
        with pytest.raises(Unavailable):
            async with db.connection():
                pass


async def test_who_reads_what_is_locked_for_long_is_told_to_come_back(own_url):
    limits = TimeLimits(lock_s=0.05)
    async with open_database(own_url, pool_size=1, limits=limits) as db, connect(own_url) as other:
        async with other.transaction():
            await other.execute("LOCK TABLE engineers")
            with pytest.raises(Unavailable):
                async with db.connection() as conn:
                    await conn.fetch("SELECT FROM engineers")
        async with db.connection() as conn:
            await conn.fetch("SELECT FROM engineers")
