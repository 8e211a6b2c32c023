"""An operation that is cut short leaves nothing running, neither here nor on the server."""

from __future__ import annotations

import asyncio
import gc

import pytest
from graphql import Executor

from app.db.connections import connect
from app.db.pool import open_database
from app.domain.model import Engineer, Ticket, TicketId
from app.graphql.batching.scheduler import BatchScheduler
from app.graphql.loaders import Loaders
from tests.graphql.conftest import until_waiting, when_compiled

ROOT = ("service_tickets", "{ tickets { nodes { id } } }")
EDGE = ("engineers", "{ tickets { nodes { currentAssignment { engineer { name } } } } }")

pytestmark = pytest.mark.usefixtures("the_server_ends_no_statement_by_itself")


@pytest.mark.parametrize(("locked", "query"), [ROOT, EDGE])
async def test_a_read_that_is_out_of_time_is_cancelled_on_the_server(serve, make, shared_url, locked, query):
    await make.assigned()
    api = await serve(read_timeout_s=0.3)
    async with connect(shared_url) as conn, conn.transaction():
        await conn.execute(f"LOCK TABLE {locked}")
        answer = asyncio.create_task(api.answer(query))
        await until_waiting(conn, 1)
        [error] = (await answer)["errors"]
        assert error["extensions"]["code"] == "TIMEOUT"
        await until_waiting(conn, 0)


@pytest.mark.parametrize(("locked", "query"), [ROOT, EDGE])
async def test_so_is_one_whose_client_has_left(serve, make, shared_url, locked, query):
    await make.assigned()
    api = await serve(read_timeout_s=600)
    async with connect(shared_url) as conn, conn.transaction():
        await conn.execute(f"LOCK TABLE {locked}")
        answer = asyncio.create_task(api.answer(query))
        await until_waiting(conn, 1)
        answer.cancel()
        await until_waiting(conn, 0)
    assert (await api(query))["tickets"]["nodes"]


async def test_what_was_to_be_read_next_is_not(shared_url):
    async with open_database(shared_url, pool_size=1) as db:
        loaders = Loaders(db, BatchScheduler(), frozenset(), None)
        found = loaders.ticket.load(TicketId("T-1"))
        loaders.close()
        for _ in range(10):  # turns of the loop: a batch would have the only connection by then
            await asyncio.sleep(0)
        async with db.connection() as conn:
            await conn.fetchval("SELECT 1")
        assert not found.done()


@when_compiled
@pytest.mark.parametrize(
    "query",
    [
        "{ ticket(id: $id) { assignmentHistory { engineer { name } } } }",
        "{ tickets { nodes { currentAssignment { engineer { name } } } } }",
    ],
)
async def test_what_was_read_is_gone_with_its_operation(ask, make, query):
    ticket_id = (await make.assigned()).ticket_id
    gc.collect()
    gc.disable()
    before = read_and_kept()
    try:
        await ask.answer(query.replace("$id", f'"{ticket_id}"'))
        assert read_and_kept() == before
    finally:
        gc.enable()


def read_and_kept() -> int:
    """Objects in memory; assignments are not among them, of which the feed keeps the last."""
    return sum(isinstance(one, Ticket | Engineer | Loaders | Executor) for one in gc.get_objects())
