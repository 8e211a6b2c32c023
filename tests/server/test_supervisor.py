"""Several processes on one port: one that dies is started again, and all of them end together."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.commands.accept import AcceptAssignment, accept_assignment
from app.commands.run import run
from app.domain.cursor import Cursor
from tests.conftest import SECRET
from tests.databases import free_port
from tests.factories import DISPATCHER, Factories
from tests.server.test_graceful_shutdown import CHECKOUT, PATIENCE_S, status_of, until
from tests.websocket_client import subscribe, talking

FOLLOW = "subscription ($after: String) { assignmentEvents(afterCursor: $after) { type } }"


@asynccontextmanager
async def workers(url):
    """The process, the port of both workers, and the first of their own."""
    port, own = free_port(), free_port(in_a_row=2)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", "serve", "--port", str(port), "--workers", "2"),
        *("--own-ports", str(own)),
        cwd=CHECKOUT,
        env=os.environ | {"DATABASE_URL": url, "AUTH_DEV_SECRET": SECRET, "SHUTDOWN_DRAIN_S": "1"},
    )
    try:
        for each in (port, own, own + 1):
            await until(each, "/readyz", 200)
        yield process, port, own
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        for each in (port, own, own + 1):
            await until(each, "/livez", 0)


def children_of(pid):
    return [
        int(child)
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
async def test_a_worker_that_dies_is_started_again_and_all_end_together(fresh_url):
    async with workers(fresh_url) as (process, port, own):
        first = children_of(process.pid)
        assert len(first) == 2
        os.kill(first[0], signal.SIGKILL)
        assert await status_of(port, "/livez") == 200
        async with asyncio.timeout(PATIENCE_S):
            while len(children_of(process.pid)) < 2 or first[0] in children_of(process.pid):  # noqa: ASYNC110 - other processes
                await asyncio.sleep(0.05)
        for each in (own, own + 1):
            await until(each, "/readyz", 200)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_workers_do_not_outlive_a_parent_that_is_killed(fresh_url):
    async with workers(fresh_url) as (process, _, own):
        process.kill()
        for each in (own, own + 1):
            await until(each, "/livez", 0)


async def test_a_change_by_another_process_is_told_by_each(fresh_url, fresh_db):
    held = await Factories(fresh_db).assigned()
    start = str(Cursor.after(0))
    async with workers(fresh_url) as (_, _, own), talking(own) as one, talking(own + 1) as other:
        for talk in (one, other):
            await talk.say(subscribe("events", FOLLOW, after=start))
            assert (await talk.hear())["payload"]["data"] == {"assignmentEvents": {"type": "assigned"}}
        await run(fresh_db, DISPATCHER, accept_assignment, AcceptAssignment(assignment_id=held.id))
        for talk in (one, other):
            assert (await talk.hear())["payload"]["data"] == {"assignmentEvents": {"type": "accepted"}}
