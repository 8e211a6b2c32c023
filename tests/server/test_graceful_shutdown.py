"""A server that is told to stop finishes what it has begun, completes its streams, and leaves with 0."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from app.db.connections import connect
from app.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import SECRET
from tests.databases import free_port, migrate_whole
from tests.factories import Factories
from tests.graphql.transport.test_sse import streaming
from tests.serving import Served
from tests.websocket_client import as_dispatcher, open_websocket, subscribe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CHECKOUT = Path(__file__).parents[2]
PATIENCE_S = 30
FOLLOW = "subscription { assignmentEvents { type } }"
ACCEPT = "mutation($i: AcceptAssignmentInput!) { a: acceptAssignment(input: $i) { __typename } }"
LOCK = "SELECT FROM service_tickets WHERE id = ANY ($1) FOR UPDATE"


@asynccontextmanager
async def server(url: str, **settings: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    port = free_port()
    env = os.environ | {"DATABASE_URL": url, "AUTH_DEV_SECRET": SECRET, "APP_ENV": "development"} | settings
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", "serve", "--port", str(port)),
        cwd=CHECKOUT,
        env=env,
        stderr=subprocess.PIPE,
    )
    try:
        yield process, port
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def status_of(port: int, path: str) -> int:
    """0 while nobody listens."""
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        try:
            return (await client.get(f"http://127.0.0.1:{port}{path}")).status_code
        except httpx.TransportError:
            return 0


async def until(port: int, path: str, status: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await status_of(port, path) != status:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
async def test_it_finishes_what_is_under_way_over_every_transport(fresh_url, fresh_db, sent):
    make = Factories(fresh_db)
    over_http, over_socket = await make.assigned(), await make.assigned()
    async with server(fresh_url, SHUTDOWN_DRAIN_S="2") as (process, port):
        await until(port, "/readyz", 200)
        served = Served(port)
        async with (
            connect(fresh_url) as conn,
            open_websocket(port) as ws,
            streaming(served, FOLLOW) as stream,
        ):
            await ws.send(subscribe("events", FOLLOW))
            lock = conn.transaction()
            await lock.start()
            await conn.execute(LOCK, [over_http.ticket_id, over_socket.ticket_id])
            await ws.send(subscribe("change", ACCEPT, i={"assignmentId": str(over_socket.id)}))
            asked = asyncio.create_task(accept_over_http(served, over_http))
            await waiting_for_locks(conn, 2)

            process.send_signal(sent)
            await until(port, "/readyz", 503)
            assert await status_of(port, "/livez") == 200
            # While it drains, it serves: the load balancer has not noticed yet.
            async with open_websocket(port) as late:
                assert await late.is_usable()
            await lock.rollback()

            assert await asked == {"a": {"__typename": "Assignment"}}
            heard, closed = await rest(ws)
            assert [m["payload"]["data"] for m in heard if m["id"] == "change" and m["type"] == "next"] == [
                {"a": {"__typename": "Assignment"}}
            ]
            assert {m["id"] for m in heard if m["type"] == "complete"} == {"events", "change"}
            assert closed.rcvd.code == 1012
            names = []
            while "complete" not in names:
                names.append((await stream.receive())[0])
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 0
        async with connect(fresh_url) as conn:
            statuses = await conn.fetch("SELECT DISTINCT status FROM engineer_assignments")
            assert [row["status"] for row in statuses] == ["accepted"]


async def test_who_leaves_while_it_stops_is_not_waited_for(fresh_url, fresh_db):
    held = await Factories(fresh_db).assigned()
    async with server(fresh_url, SHUTDOWN_DRAIN_S="1") as (process, port):
        await until(port, "/readyz", 200)
        async with connect(fresh_url) as conn, open_websocket(port) as ws:
            lock = conn.transaction()
            await lock.start()
            await conn.execute(LOCK, [held.ticket_id])
            await ws.send(subscribe("change", ACCEPT, i={"assignmentId": str(held.id)}))
            await waiting_for_locks(conn, 1)
            await ws.send(subscribe("events", FOLLOW))
            process.send_signal(signal.SIGTERM)
            assert await ws.receive() == {"id": "events", "type": "complete"}
            ws.socket.transport.abort()
            await lock.rollback()
        async with asyncio.timeout(PATIENCE_S * 3):
            _, said = await process.communicate()
        assert process.returncode == 0
        # Which is what is said of what did not end by itself.
        assert b"exceeded" not in said


async def accept_over_http(served: Served, held: Any) -> Any:
    async with httpx.AsyncClient(headers=as_dispatcher(), timeout=PATIENCE_S) as client:
        given = {"query": ACCEPT, "variables": {"i": {"assignmentId": str(held.id)}}}
        return (await client.post(served.url, json=given)).json()["data"]


async def waiting_for_locks(conn: Any, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await conn.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") < count:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def rest(ws: Any) -> tuple[list[Any], ConnectionClosed]:
    heard = []
    try:
        while True:
            heard.append(await ws.receive())
    except ConnectionClosed as closed:
        return heard, closed


async def test_a_second_signal_ends_the_wait(fresh_url):
    async with server(fresh_url, SHUTDOWN_DRAIN_S="3600") as (process, port):
        await until(port, "/readyz", 200)
        process.send_signal(signal.SIGINT)
        await until(port, "/readyz", 503)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE_S):
            await process.wait()


async def test_it_waits_for_a_database_that_is_still_starting():
    with TemporaryDirectory(prefix="baton-late-") as home:
        Path(home).chmod(0o755)  # noqa: ASYNC240 - as root, the database runs as somebody else
        with EmbeddedPostgres(Path(home), durable=False) as url:
            await migrate_whole(url)
        async with server(url) as (process, port):
            assert process.stderr is not None
            async with asyncio.timeout(PATIENCE_S):
                assert b"Waiting for the database" in await process.stderr.readline()
            with EmbeddedPostgres(Path(home), durable=False):
                await until(port, "/readyz", 200)


async def test_it_does_not_wait_for_ever():
    nowhere = f"postgresql://postgres@127.0.0.1:{free_port()}/postgres"
    async with server(nowhere, DATABASE_WAIT_S="1") as (process, _):
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 1
        assert process.stderr is not None
        assert b"DATABASE_URL" in await process.stderr.read()
