"""Graceful shutdown: requests finish, streams complete, and the server exits with 0."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from app.db.connections import connect
from app.demo.embedded_postgres import EmbeddedPostgres
from tests.apps import SECRET, authorization
from tests.databases import free_port, migrate_whole, until_waiting
from tests.factories import Factories
from tests.graphql.transport.test_sse import streaming
from tests.polling import until
from tests.serving import Served
from tests.websocket_client import open_websocket, subscribe

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
    """0 if no server is listening."""
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        try:
            return (await client.get(f"http://127.0.0.1:{port}{path}")).status_code
        except httpx.TransportError:
            return 0


async def until_status(port: int, path: str, status: int) -> None:
    async def has_status() -> bool:
        return await status_of(port, path) == status

    await until(has_status)


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
async def test_running_operations_finish_over_every_transport(fresh_url, fresh_db, signal_number):
    make = Factories(fresh_db)
    over_http, over_socket = await make.assigned(), await make.assigned()
    async with server(fresh_url, SHUTDOWN_DRAIN_S="2") as (process, port):
        await until_status(port, "/readyz", 200)
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
            response = asyncio.create_task(accept_over_http(served, over_http))
            await until_waiting(conn, 2)

            process.send_signal(signal_number)
            await until_status(port, "/readyz", 503)
            assert await status_of(port, "/livez") == 200
            # While it drains, it still serves: load balancers have not noticed yet.
            async with open_websocket(port) as late:
                assert await late.is_usable()
            await lock.rollback()

            assert await response == {"a": {"__typename": "Assignment"}}
            messages, closed = await remaining_messages(ws)
            assert [
                m["payload"]["data"] for m in messages if m["id"] == "change" and m["type"] == "next"
            ] == [{"a": {"__typename": "Assignment"}}]
            assert {m["id"] for m in messages if m["type"] == "complete"} == {"events", "change"}
            assert closed.rcvd.code == 1012
            names = []
            while "complete" not in names:
                names.append((await stream.receive())[0])
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 0
        async with connect(fresh_url) as conn:
            statuses = await conn.fetch("SELECT DISTINCT status FROM engineer_assignments")
            assert [row["status"] for row in statuses] == ["accepted"]


async def test_shutdown_does_not_wait_for_disconnected_clients(fresh_url, fresh_db):
    assignment = await Factories(fresh_db).assigned()
    async with server(fresh_url, SHUTDOWN_DRAIN_S="1") as (process, port):
        await until_status(port, "/readyz", 200)
        async with connect(fresh_url) as conn, open_websocket(port) as ws:
            lock = conn.transaction()
            await lock.start()
            await conn.execute(LOCK, [assignment.ticket_id])
            await ws.send(subscribe("change", ACCEPT, i={"assignmentId": str(assignment.id)}))
            await until_waiting(conn, 1)
            await ws.send(subscribe("events", FOLLOW))
            process.send_signal(signal.SIGTERM)
            assert await ws.receive() == {"id": "events", "type": "complete"}
            ws.socket.transport.abort()
            await lock.rollback()
        async with asyncio.timeout(PATIENCE_S * 3):
            _, stderr = await process.communicate()
        assert process.returncode == 0
        # uvicorn logs this for tasks that it had to cancel.
        assert b"exceeded" not in stderr


async def accept_over_http(served: Served, assignment: Any) -> Any:
    async with httpx.AsyncClient(headers=authorization(), timeout=PATIENCE_S) as client:
        body = {"query": ACCEPT, "variables": {"i": {"assignmentId": str(assignment.id)}}}
        return (await client.post(served.url, json=body)).json()["data"]


async def remaining_messages(ws: Any) -> tuple[list[Any], ConnectionClosed]:
    messages = []
    try:
        while True:
            messages.append(await ws.receive())
    except ConnectionClosed as closed:
        return messages, closed


async def test_a_second_signal_skips_the_drain(fresh_url):
    async with server(fresh_url, SHUTDOWN_DRAIN_S="3600") as (process, port):
        await until_status(port, "/readyz", 200)
        process.send_signal(signal.SIGINT)
        await until_status(port, "/readyz", 503)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE_S):
            await process.wait()


async def test_serve_waits_for_a_database_that_is_still_starting():
    with TemporaryDirectory(prefix="baton-late-") as home:
        Path(home).chmod(0o755)  # noqa: ASYNC240 - as root, the database runs as another user
        with EmbeddedPostgres(Path(home), durable=False) as url:
            await migrate_whole(url)
        async with server(url) as (process, port):
            assert process.stderr is not None
            async with asyncio.timeout(PATIENCE_S):
                assert b"Waiting for the database" in await process.stderr.readline()
            with EmbeddedPostgres(Path(home), durable=False):
                await until_status(port, "/readyz", 200)


async def test_serve_gives_up_after_database_wait_s():
    unreachable = f"postgresql://postgres@127.0.0.1:{free_port()}/postgres"
    async with server(unreachable, DATABASE_WAIT_S="1") as (process, _):
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 1
        assert process.stderr is not None
        assert b"DATABASE_URL" in await process.stderr.read()
