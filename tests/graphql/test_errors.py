"""Faults: the client receives a code and an id, and the log has the cause under the same id."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from structlog.testing import capture_logs

from app.db.connections import connect
from app.db.errors import Unavailable
from app.http.auth.tokens import DevelopmentTokens
from tests.apps import authorization, client_of, make_app
from tests.factories import Factories
from tests.pgbouncer import USE_FOR_ALL_TESTS

UNRELATED_EVENTS = {"request", "feed_lost_its_connection"}
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


async def errors_of(client: httpx.AsyncClient, query: str, **variables: Any) -> list[dict[str, Any]]:
    response = await client.post("/graphql", json={"query": query, "variables": variables})
    assert response.status_code == 200
    return response.json()["errors"]


def assert_masked(masked: list[dict[str, Any]], logs: list[Any], cause: str) -> None:
    """Check that errors and log have the same id, and that only the log has the cause."""
    [error_id] = {error["extensions"]["errorId"] for error in masked}
    assert {error["extensions"]["code"] for error in masked} == {"INTERNAL"}
    assert error_id in masked[0]["message"]
    [record] = [line for line in logs if line["event"] != "request"]
    assert (record["event"], record["error_id"]) == ("fault", error_id)
    assert cause in repr(record["exc_info"])
    assert cause not in json.dumps(masked)


async def test_a_fault_of_a_query_is_masked_and_logged(fresh, fresh_url):
    async with connect(fresh_url) as conn:
        await conn.execute("ALTER TABLE service_tickets RENAME customer_name TO client_name")
    with capture_logs() as logs:
        masked = await errors_of(fresh, "{ viewer { role } tickets { nodes { customerName } } }")
    assert_masked(masked, logs, "customer_name")
    assert masked[0]["path"] == ["tickets"]


async def test_a_fault_of_a_mutation_changes_nothing(fresh, fresh_url, fresh_db):
    assignment = await Factories(fresh_db).assigned()
    async with connect(fresh_url) as conn:
        await conn.execute("ALTER TABLE ticket_events ADD CONSTRAINT none_now CHECK (false) NOT VALID")
        with capture_logs() as logs:
            masked = await errors_of(fresh, ACCEPT, id=str(assignment.id))
        assert_masked(masked, logs, "none_now")
        status = await conn.fetchval("SELECT status FROM engineer_assignments WHERE id = $1", assignment.id)
    assert status == "assigned"


async def test_a_fault_of_many_fields_is_logged_once(fresh, fresh_url, fresh_db):
    make = Factories(fresh_db)
    for _ in range(7):
        await make.assigned()
    async with connect(fresh_url) as conn:
        await conn.execute("ALTER TABLE engineers RENAME skills TO talents")
    with capture_logs() as logs:
        masked = await errors_of(fresh, "{ tickets { nodes { currentAssignment { engineer { skills } } } } }")
    assert len(masked) == 5
    assert masked[-1]["extensions"]["errorCount"] == 7
    assert_masked(masked, logs, "skills")


async def test_a_lost_database_is_unavailable(fresh, fresh_url, server):
    async with connect(server) as conn:
        await conn.execute(f"DROP DATABASE {urlsplit(fresh_url).path[1:]} WITH (FORCE)")
    with capture_logs() as logs:
        for _ in range(2):  # first the connection is lost, then it cannot be opened
            [error] = await errors_of(fresh, "{ tickets { nodes { id } } }")
            assert error["extensions"] == {"code": "UNAVAILABLE", "retryAfterSeconds": 1}
            assert "again" in error["message"]
    events = [record["event"] for record in logs if record["event"] not in UNRELATED_EVENTS]
    assert events == ["database_unavailable"] * 2
    ready = await fresh.get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert (await fresh.get("/livez")).status_code == 200


async def test_a_terminated_backend_is_unavailable(fresh, fresh_url, fresh_db):
    assignment = await Factories(fresh_db).assigned()
    waits = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with connect(fresh_url) as conn, conn.transaction():
        await conn.execute("SELECT FROM service_tickets WHERE id = $1 FOR UPDATE", assignment.ticket_id)
        answer = asyncio.create_task(errors_of(fresh, ACCEPT, id=str(assignment.id)))
        pid = None
        while pid is None:
            pid = await conn.fetchval(waits)
        await conn.execute("SELECT pg_terminate_backend($1)", pid)
        [error] = await answer
    assert error["extensions"]["code"] == "UNAVAILABLE"


@pytest.mark.skipif(USE_FOR_ALL_TESTS, reason="a pooler waits before it connects again")
async def test_the_service_recovers_with_the_database(fresh, fresh_url, server):
    name = urlsplit(fresh_url).path[1:]
    async with connect(server) as conn:
        await conn.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        [error] = await errors_of(fresh, "{ tickets { nodes { id } } }")
        assert error["extensions"]["code"] == "UNAVAILABLE"
        await conn.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    response = await fresh.post("/graphql", json={"query": "{ tickets { nodes { id } } }"})
    assert response.json()["data"] == {"tickets": {"nodes": []}}


async def test_the_application_needs_a_database_to_start(server, tokens):
    url = urlsplit(server)._replace(path="/nothing_here").geturl()
    with pytest.raises(Unavailable):
        async with serving(url, tokens):
            pass
