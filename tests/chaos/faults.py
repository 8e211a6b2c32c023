"""Faults of a chaos run: servers, the database, and the connections to them, one at a time."""

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import asyncpg
import httpx

from app.db.connections import connect
from app.demo.embedded_postgres import EmbeddedPostgres
from tests.apps import SECRET
from tests.chaos.cluster import Cluster
from tests.chaos.patroni import PatroniCluster
from tests.chaos.proxy import Proxy
from tests.databases import frozen

CHECKOUT = Path(__file__).parents[2]
PATIENCE_S = 60
DRAIN_S = 1
"""How long a server goes on serving after SIGTERM."""


@dataclass
class Server:
    """A server process, restarted after a kill, and the proxy in front of it."""

    settings: Mapping[str, str]
    proxy: Proxy
    log: BinaryIO
    process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start, and wait until it is ready."""
        settings = {**self.settings, "AUTH_DEV_SECRET": SECRET, "SHUTDOWN_DRAIN_S": str(DRAIN_S)}
        command = [sys.executable, "-m", "app", "serve", "--port", str(self.proxy.server_port)]
        self.process = subprocess.Popen(
            command, cwd=CHECKOUT, env=os.environ | settings, stderr=self.log, stdout=self.log
        )
        async with asyncio.timeout(PATIENCE_S), httpx.AsyncClient() as client:
            while not await self._is_ready(client):
                await asyncio.sleep(0.05)

    async def _is_ready(self, client: httpx.AsyncClient) -> bool:
        try:
            answer = await client.get(f"http://127.0.0.1:{self.proxy.server_port}/readyz")
        except httpx.HTTPError:
            return False
        return answer.is_success

    def first_traceback(self) -> str:
        """The first logged traceback; all servers share the log."""
        said = re.sub(r"\x1b\[[\d;]*m", "", Path(self.log.name).read_text())
        _, at, rest = said.partition("] fault")
        return f"{at}{rest[:5000]}"

    def send(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)

    def stop(self, number: int) -> int | None:
        """Return the exit code."""
        self.send(number)
        return None if self.process is None else self.process.wait()


@dataclass
class Faults:
    """Each lasts `hold_s` where it has a length, and leaves everything running."""

    database: EmbeddedPostgres
    url: str
    servers: list[Server]
    rng: random.Random
    duration_s: float
    stops: list[tuple[int | None, float]] = field(default_factory=list)
    """Per SIGTERM: the exit code, and the seconds until the exit."""

    @property
    def actions(self) -> list[Callable[[], Awaitable[None]]]:
        return [
            self.backends_killed,
            self.database_crashed,
            self.connections_cut,
            self.server_killed,
            self.database_restarted,
            self.server_frozen,
            self.database_frozen,
            self.server_stopped,
            self.connections_slow,
            self.database_read_only,
            self.postmaster_killed,
            self.tables_altered,
        ]

    def unexpected_exits(self) -> list[str]:
        """Servers that exited by themselves."""
        codes = [server.process and server.process.poll() for server in self.servers]
        return [f"a server exited by itself with code {code}" for code in codes if code is not None]

    async def backends_killed(self) -> None:
        async with connect(self.url) as conn:
            await _end_sessions(conn)

    async def database_restarted(self) -> None:
        await asyncio.to_thread(self.database.stop)
        await asyncio.to_thread(self.database.start)

    async def database_crashed(self) -> None:
        await self._start_after(signal.SIGQUIT)

    async def postmaster_killed(self) -> None:
        """Its children run on for a while."""
        await self._start_after(signal.SIGKILL)

    async def _start_after(self, number: int) -> None:
        first_line = (self.database.home / "data/postmaster.pid").read_text().splitlines()[0]
        os.kill(int(first_line), number)
        await self.database_restarted()

    async def database_frozen(self) -> None:
        async with frozen(self.url):
            await asyncio.sleep(self.duration_s)

    async def database_read_only(self) -> None:
        async with connect(self.url) as conn:
            await conn.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            await conn.execute("SELECT pg_reload_conf()")
            await _end_sessions(conn)
            await asyncio.sleep(self.duration_s)
            await conn.execute("ALTER SYSTEM RESET default_transaction_read_only")
            await conn.execute("SELECT pg_reload_conf()")

    async def tables_altered(self) -> None:
        """Alter tables as a migration does: with a short lock timeout and retries, so that others go on."""
        async with connect(self.url) as conn:
            await conn.execute("SET lock_timeout = '200ms'")
            for statement in (
                "ALTER TABLE engineer_assignments ADD COLUMN chaos integer NOT NULL DEFAULT 7",
                "CREATE INDEX CONCURRENTLY chaos ON engineer_assignments (chaos)",
                "DROP INDEX CONCURRENTLY chaos",
                "ALTER TABLE engineer_assignments DROP COLUMN chaos",
            ):
                await _retry_until_done(conn, statement)

    async def server_killed(self) -> None:
        server = self.rng.choice(self.servers)
        await asyncio.to_thread(server.stop, signal.SIGKILL)
        await server.start()

    async def server_stopped(self) -> None:
        server, asked = self.rng.choice(self.servers), time.monotonic()
        code = await asyncio.to_thread(server.stop, signal.SIGTERM)
        self.stops.append((code, time.monotonic() - asked))
        await server.start()

    async def server_frozen(self) -> None:
        server = self.rng.choice(self.servers)
        server.send(signal.SIGSTOP)
        await asyncio.sleep(self.duration_s)
        server.send(signal.SIGCONT)

    async def connections_cut(self) -> None:
        await self._with_proxies(cut_probability=0.2)

    async def connections_slow(self) -> None:
        await self._with_proxies(chunk_bytes=100, delay_s=0.02)

    async def _with_proxies(self, **how: float) -> None:
        for server in self.servers:
            usual = {name: getattr(server.proxy, name) for name in how}
            vars(server.proxy).update(how)
        await asyncio.sleep(self.duration_s)
        for server in self.servers:
            vars(server.proxy).update(usual)


@dataclass
class ClusterFaults(Faults):
    """Failovers of a database cluster, alone and together with other faults."""

    cluster: Cluster | PatroniCluster = field(kw_only=True)

    @property
    def actions(self) -> list[Callable[[], Awaitable[None]]]:
        return [self.primary_killed, self.backends_killed, self.primary_killed_with_a_server]

    async def primary_killed(self) -> None:
        await self.cluster.fail_over()
        await self.cluster.rejoin()

    async def primary_killed_with_a_server(self) -> None:
        await asyncio.gather(self.server_killed(), self.primary_killed())


async def _end_sessions(conn: asyncpg.Connection) -> None:
    await conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name LIKE 'baton%' AND pid <> pg_backend_pid()"
    )


async def _retry_until_done(conn: asyncpg.Connection, statement: str) -> None:
    while True:
        try:
            await conn.execute(statement)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            await asyncio.sleep(0.1)
        else:
            return
