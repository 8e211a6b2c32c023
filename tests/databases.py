"""Servers and databases that live as long as somebody looks at them."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import tempfile
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from app.db import migrate, sql
from app.db.connections import connect
from app.db.migration_files import read
from app.demo.embedded_postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    import pytest


@contextmanager
def new_home() -> Iterator[Path]:
    """A folder for a server of its own, gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="baton-test-"))
    home.chmod(0o755)  # as root, the server runs as somebody else
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def new_server(**settings: str) -> Iterator[str]:
    """The URL of the maintenance database of a server of its own, gone afterwards."""
    settings = {"max_connections": "200"} | settings
    with new_home() as home, EmbeddedPostgres(home, durable=False, settings=settings) as url:
        yield url


@asynccontextmanager
async def new_database(server: str, template: str = "template0") -> AsyncIterator[str]:
    """The URL of a new database, dropped afterwards."""
    name = f"t_{uuid4().hex}"
    admin = await asyncpg.connect(server)
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await admin.close()


async def migrate_whole(url: str) -> None:
    """Every migration, those that wait to be asked for among them."""
    async with connect(url) as conn:
        await migrate.up(conn, sql.MIGRATIONS, to=read(sql.MIGRATIONS)[-1].version)


@asynccontextmanager
async def frozen(url: str) -> AsyncIterator[None]:
    """The server and all of its processes stand still."""
    async with connect(url) as conn:
        pids = [row[0] for row in await conn.fetch("SELECT pid FROM pg_stat_activity")]
        pids.append(int((await conn.fetchval("SELECT pg_read_file('postmaster.pid')")).split()[0]))
    try:
        _signal(signal.SIGSTOP, *pids)
        yield
    finally:
        _signal(signal.SIGCONT, *pids)


def _signal(number: int, *pids: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def capture_statements(monkeypatch: pytest.MonkeyPatch, listen: Callable[[str], object]) -> None:
    """Call `listen` with the text of each statement of the applications that are started from now on."""

    async def watch(conn: Any) -> None:
        conn.add_query_logger(lambda statement: listen(statement.query))

    monkeypatch.setattr(asyncpg, "create_pool", partial(asyncpg.create_pool, init=watch))


def free_port(*, in_a_row: int = 1) -> int:
    """The first of so many that nobody serves.

    Below those that systems give to outgoing connections: one of these may be gone before it is served.
    """
    while True:
        first = 10_000 + secrets.randbelow(22_000)
        with suppress(OSError), ExitStack() as probes:
            for port in range(first, first + in_a_row):
                probes.enter_context(socket.create_server(("127.0.0.1", port)))
            return first
