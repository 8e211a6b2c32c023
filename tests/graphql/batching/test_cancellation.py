"""An operation that ends early leaves nothing running, neither in the process nor on the database server."""

import asyncio
import gc

import pytest
from graphql import Executor

from app.batch_scheduler import BatchScheduler
from app.db.connections import connect
from app.db.pool import open_database
from app.domain.model import Engineer, Ticket, TicketId
from app.graphql.loaders import Loaders
from tests.databases import until_waiting
from tests.graphql.conftest import when_compiled

ROOT_FIELD = ("service_tickets", "{ tickets { nodes { id } } }")
NESTED_FIELD = ("engineers", "{ tickets { nodes { currentAssignment { engineer { name } } } } }")

pytestmark = pytest.mark.usefixtures("no_statement_timeouts")


@pytest.mark.parametrize(("locked", "query"), [ROOT_FIELD, NESTED_FIELD])
@pytest.mark.parametrize("ending", ["timeout", "disconnect"])
async def test_a_timeout_or_disconnect_cancels_the_statement(serve, make, shared_url, locked, query, ending):
    await make.assigned()
    api = await serve(read_timeout_s=0.3 if ending == "timeout" else 600)
    newer = {"Accept": "application/graphql-response+json"}
    async with connect(shared_url) as conn, conn.transaction():
        await conn.execute(f"LOCK TABLE {locked}")
        for _ in range(5):  # more than there are connections: each is released
            response = asyncio.create_task(api.client.post("/graphql", json={"query": query}, headers=newer))
            await until_waiting(conn, 1)
            if ending == "timeout":
                assert (await response).status_code == 504
                assert response.result().json()["errors"][0]["extensions"]["code"] == "TIMEOUT"
            else:
                response.cancel()
            await until_waiting(conn, 0)
    assert ending == "timeout" or (await api(query))["tickets"]["nodes"]


async def test_closed_loaders_start_no_statement(shared_url):
    async with open_database(shared_url, pool_size=1) as db:
        loaders = Loaders(db, BatchScheduler(), frozenset(), None)
        future = loaders.ticket.load(TicketId("T-1"))
        loaders.close()
        for _ in range(10):  # a batch would have the only connection by then
            await asyncio.sleep(0)
        async with db.connection() as conn:
            await conn.fetchval("SELECT 1")
        assert not future.done()


@when_compiled
@pytest.mark.parametrize(
    "query",
    [
        "{ ticket(id: $id) { assignmentHistory { engineer { name } } } }",
        "{ tickets { nodes { currentAssignment { engineer { name } } } } }",
    ],
)
async def test_an_operation_is_freed_without_the_garbage_collector(ask, make, query):
    ticket_id = (await make.assigned()).ticket_id
    gc.collect()
    gc.disable()
    before = count_objects()
    try:
        await ask.answer(query.replace("$id", f'"{ticket_id}"'))
        assert count_objects() == before
    finally:
        gc.enable()


def count_objects() -> int:
    """Count without assignments, since the feed keeps the latest in memory."""
    return sum(isinstance(each, Ticket | Engineer | Loaders | Executor) for each in gc.get_objects())
