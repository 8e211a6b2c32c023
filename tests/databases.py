"""Temporary PostgreSQL servers and databases."""

import os
import secrets
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from app.db import migrate, sql
from app.db.connections import connect
from app.db.migration_files import read
from app.demo.embedded_postgres import EmbeddedPostgres
from tests.polling import until

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a private folder in it
_MIN_SHARED_MEMORY = 2 * 2**30
_HOME_PREFIX = "baton-test-"
_STALE_AFTER_S = 24 * 60 * 60
_WRITTEN_BY_TESTS = (
    "ticket_events engineer_assignments engineer_tiers engineers equipment hourly_rates idempotency_keys"
    " service_tickets ticket_details ticket_external_ids ticket_notes"
    " ticket_event_gaps"
)
_DELETE_ALL_ROWS = "".join(f"DELETE FROM {table};" for table in _WRITTEN_BY_TESTS.split())


def _memory_folder() -> Path | None:
    """Return a folder in memory, where creating a database is ten times as fast; None if there is none."""
    with suppress(OSError):
        stats = os.statvfs(_SHARED_MEMORY)
        has_room = stats.f_bavail * stats.f_frsize >= _MIN_SHARED_MEMORY
        if has_room and not stats.f_flag & os.ST_NOEXEC and os.access(_SHARED_MEMORY, os.W_OK):
            return _SHARED_MEMORY
    return None


@contextmanager
def new_home(*, in_memory: bool = False) -> Iterator[Path]:
    """A temporary folder for a server, with `in_memory` in a file system in memory if there is one."""
    folder = _memory_folder() if in_memory else None
    for stale in folder.glob(f"{_HOME_PREFIX}*") if folder else ():
        # Left by a test run that was killed.
        with suppress(FileNotFoundError):
            if time.time() - stale.stat().st_mtime > _STALE_AFTER_S:
                shutil.rmtree(stale, ignore_errors=True)
    home = Path(tempfile.mkdtemp(prefix=_HOME_PREFIX, dir=folder))
    home.chmod(0o755)  # a test run by root starts the server as another user
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def new_server(**settings: str) -> Iterator[str]:
    """The URL of the maintenance database of a temporary server."""
    settings = {"max_connections": "200", "max_wal_size": "256MB"} | settings
    with new_home(in_memory=True) as home, EmbeddedPostgres(home, durable=False, settings=settings) as url:
        yield url


@asynccontextmanager
async def new_database(server: str, template: str = "template0") -> AsyncIterator[str]:
    """The URL of a temporary database."""
    name = f"t_{uuid4().hex}"
    admin = await asyncpg.connect(server)
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await admin.close()


async def migrate_whole(url: str) -> None:
    """Run all migrations, including those that run on request."""
    async with connect(url) as conn:
        await migrate.up(conn, sql.MIGRATIONS, to=read(sql.MIGRATIONS)[-1].version)


async def delete_all_rows(tx: Any) -> None:
    """Empty the tables that tests write. TRUNCATE takes ten times as long, and makes all plans invalid."""
    await tx.execute("SET LOCAL session_replication_role = replica")  # without triggers and foreign keys
    await tx.execute(_DELETE_ALL_ROWS)


async def until_waiting(conn: Any, count: int = 1) -> None:
    """Wait until `count` sessions of the server wait for a lock."""

    async def are_waiting() -> bool:
        return await conn.fetchval("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted") == count

    await until(are_waiting)


@asynccontextmanager
async def frozen(url: str) -> AsyncIterator[None]:
    """Stop all processes of the server with SIGSTOP until the block ends."""
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


def capture_statements(monkeypatch: pytest.MonkeyPatch, on_statement: Callable[[str], object]) -> None:
    """Call `on_statement` with the text of each statement of applications that are started later."""

    async def add_logger(conn: Any) -> None:
        conn.add_query_logger(lambda statement: on_statement(statement.query))

    monkeypatch.setattr(asyncpg, "create_pool", partial(asyncpg.create_pool, init=add_logger))


def free_port(*, in_a_row: int = 1) -> int:
    """Return an unused port, the first of `in_a_row` unused ones.

    Below the range of outgoing connections, so that no client takes it before the server listens.
    """
    while True:
        first = 10_000 + secrets.randbelow(22_000)
        with suppress(OSError), ExitStack() as probes:
            for port in range(first, first + in_a_row):
                probes.enter_context(socket.create_server(("127.0.0.1", port)))
            return first


def accepts_connections(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
