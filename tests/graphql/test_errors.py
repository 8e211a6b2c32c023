"""A fault is told by a code and an id; what went wrong inside stands in the log, under the same id."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from app.db.connections import connect
from app.db.errors import Unavailable
from tests.apps import authorization, client_of, make_app
from tests.factories import Factories
from tests.pgbouncer import IN_BETWEEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from app.http.auth.tokens import DevelopmentTokens

NOT_ITS_OWN = {"request", "feed_lost_its_connection"}
ACCEPT = "mutation ($id: ID!) { acceptAssignment(input: {assignmentId: $id}) { __typename } }"


@asynccontextmanager
async def serving(url: str, tokens: DevelopmentTokens) -> AsyncIterator[httpx.AsyncClient]:
    """The application on a database that may be broken."""
    async with client_of(make_app(url), headers=authorization()) as client:
        yield client


@pytest.fixture
async def fresh(fresh_url, tokens):
    async with serving(fresh_url, tokens) as client:
        yield client


async def errors(client: httpx.AsyncClient, query: str, **variables: Any) -> list[dict[str, Any]]:
    response = await client.post("/graphql", json={"query": query, "variables": variables})
    assert response.status_code == 200
    return response.json()["errors"]


def is_masked(found: list[dict[str, Any]], logs: list[Any], cause: str) -> None:
    """One id, told and logged; the log has the cause, and the answer has not."""
    [error_id] = {error["extensions"]["errorId"] for error in found}
    assert {error["extensions"]["code"] for error in found} == {"INTERNAL"}
    assert error_id in found[0]["message"]
    [record] = [line for line in logs if line["event"] != "request"]
    assert (record["event"], record["error_id"]) == ("fault", error_id)
    assert cause in repr(record["exc_info"])
    assert cause not in json.dumps(found)


async def test_a_read_that_fails_inside_tells_an_id_and_logs_it(fresh, fresh_url):
    async with connect(fresh_url) as conn:
        await conn.execute("ALTER TABLE service_tickets RENAME customer_name TO client_name")
    with capture_logs() as logs:
        found = await errors(fresh, "{ viewer { role } tickets { nodes { customerName } } }")
    is_masked(found, logs, "customer_name")
    assert found[0]["path"] == ["tickets"]


async def test_a_mutation_that_fails_inside_changes_nothing(fresh, fresh_url, fresh_db):
    held = await Factories(fresh_db).assigned()
    async with connect(fresh_url) as conn:
        await conn.execute("ALTER TABLE assignment_events ADD CONSTRAINT none_now CHECK (false) NOT VALID")
        with capture_logs() as logs:
            found = await errors(fresh, ACCEPT, id=str(held.id))
        is_masked(found, logs, "none_now")
        status = await conn.fetchval("SELECT status FROM engineer_assignments WHERE id = $1", held.id)
    assert status == "assigned"


async def test_a_fault_that_many_fields_share_is_one_fault(fresh, fresh_url, fresh_db):
    make = Factories(fresh_db)
    for _ in range(7):
        await make.assigned()
    async with connect(fresh_url) as conn:
        await conn.execute("ALTER TABLE engineers RENAME skills TO talents")
    with capture_logs() as logs:
        found = await errors(fresh, "{ tickets { nodes { currentAssignment { engineer { skills } } } } }")
    assert len(found) == 5
    assert found[-1]["extensions"]["errorCount"] == 7
    is_masked(found, logs, "skills")


async def test_a_database_that_is_gone_is_unavailable(fresh, fresh_url, server):
    async with connect(server) as conn:
        await conn.execute(f"DROP DATABASE {urlsplit(fresh_url).path[1:]} WITH (FORCE)")
    with capture_logs() as logs:
        for _ in range(2):  # the connection is lost first, and cannot be had again then
            [error] = await errors(fresh, "{ tickets { nodes { id } } }")
            assert error["extensions"] == {"code": "UNAVAILABLE", "retryAfterSeconds": 1}
            assert "again" in error["message"]
    said = [record["event"] for record in logs if record["event"] not in NOT_ITS_OWN]
    assert said == ["database_unavailable"] * 2
    ready = await fresh.get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert (await fresh.get("/livez")).status_code == 200


async def test_a_server_that_stops_while_it_works_is_unavailable(fresh, fresh_url, fresh_db):
    held = await Factories(fresh_db).assigned()
    waits = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with connect(fresh_url) as conn, conn.transaction():
        await conn.execute("SELECT FROM service_tickets WHERE id = $1 FOR UPDATE", held.ticket_id)
        answer = asyncio.create_task(errors(fresh, ACCEPT, id=str(held.id)))
        pid = None
        while pid is None:
            pid = await conn.fetchval(waits)
        await conn.execute("SELECT pg_terminate_backend($1)", pid)
        [error] = await answer
    assert error["extensions"]["code"] == "UNAVAILABLE"


@pytest.mark.skipif(IN_BETWEEN, reason="a pooler waits before it connects again")
async def test_service_comes_back_with_the_database(fresh, fresh_url, server):
    name = urlsplit(fresh_url).path[1:]
    async with connect(server) as conn:
        await conn.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        [error] = await errors(fresh, "{ tickets { nodes { id } } }")
        assert error["extensions"]["code"] == "UNAVAILABLE"
        await conn.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    response = await fresh.post("/graphql", json={"query": "{ tickets { nodes { id } } }"})
    assert response.json()["data"] == {"tickets": {"nodes": []}}


async def test_an_application_without_a_database_does_not_start(server, tokens):
    url = urlsplit(server)._replace(path="/nothing_here").geturl()
    with pytest.raises(Unavailable):
        async with serving(url, tokens):
            pass
