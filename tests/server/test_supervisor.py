"""The supervisor: restarts workers, stops them together."""

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.domain.cursor import Cursor
from tests.apps import SECRET
from tests.commands.world import World
from tests.databases import free_port
from tests.factories import Factories
from tests.polling import until
from tests.server.test_graceful_shutdown import CHECKOUT, status_of, until_status
from tests.websocket_client import open_websocket, subscribe

FOLLOW = "subscription ($after: String) { assignmentEvents(afterCursor: $after) { type } }"


@asynccontextmanager
async def workers(url):
    """The process, the port that workers share, and the first of their own ports."""
    port, own = free_port(), free_port(in_a_row=2)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", "serve", "--port", str(port), "--workers", "2"),
        *("--own-ports", str(own)),
        cwd=CHECKOUT,
        env=os.environ | {"DATABASE_URL": url, "AUTH_DEV_SECRET": SECRET, "SHUTDOWN_DRAIN_S": "0"},
    )
    try:
        for each in (port, own, own + 1):
            await until_status(each, "/readyz", 200)
        yield process, port, own
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        for each in (port, own, own + 1):
            await until_status(each, "/livez", 0)


def children_of(pid):
    return [
        int(child)
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
async def test_a_worker_that_dies_is_restarted_and_all_stop_together(fresh_url):
    async with workers(fresh_url) as (process, port, own):
        first = children_of(process.pid)
        assert len(first) == 2
        os.kill(first[0], signal.SIGKILL)
        assert await status_of(port, "/livez") == 200
        await until(lambda: len(set(children_of(process.pid)) - {first[0]}) == 2)
        for each in (own, own + 1):
            await until_status(each, "/readyz", 200)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_workers_stop_if_their_parent_is_killed(fresh_url):
    async with workers(fresh_url) as (process, _, own):
        process.kill()
        for each in (own, own + 1):
            await until_status(each, "/livez", 0)


async def test_each_worker_delivers_events_of_other_processes(fresh_url, fresh_db):
    assignment = await Factories(fresh_db).assigned()
    start = str(Cursor.after(0))
    async with (
        workers(fresh_url) as (_, _, own),
        open_websocket(own) as one,
        open_websocket(own + 1) as other,
    ):
        for ws in (one, other):
            await ws.send(subscribe("events", FOLLOW, after=start))
            assert (await ws.receive())["payload"]["data"] == {"assignmentEvents": {"type": "assigned"}}
        await World(fresh_db).act("accept", assignment)
        for ws in (one, other):
            assert (await ws.receive())["payload"]["data"] == {"assignmentEvents": {"type": "accepted"}}
