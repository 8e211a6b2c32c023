"""A primary with synchronous replicas, and failover.

Does the work of a cluster manager, without the time that it takes to detect a failure.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from app.db.connections import connect
from app.db.errors import Unavailable
from app.demo.embedded_postgres import EmbeddedPostgres, find_binaries

NODES = 3


@dataclass
class Cluster:
    """Nodes are numbered from 1. `with` starts all of them and returns a URL that finds the primary."""

    home: Path
    settings: dict[str, str] = field(default_factory=dict)
    nodes: dict[int, EmbeddedPostgres] = field(init=False)
    primary: int = 1
    failovers_s: list[float] = field(default_factory=list)
    """Per failover: seconds from the kill until the new primary accepts writes."""

    def __post_init__(self) -> None:
        self.nodes = {n: EmbeddedPostgres(self.home / f"n{n}", settings=self._of(n)) for n in self._numbers}

    @property
    def _numbers(self) -> range:
        return range(1, NODES + 1)

    def _of(self, number: int) -> dict[str, str]:
        sockets = ",".join(str(self._sockets(n)) for n in self._numbers)
        return {
            "synchronous_standby_names": f"ANY 1 ({', '.join(f'n{n}' for n in self._numbers)})",
            # Finds the current primary.
            "primary_conninfo": f"host={sockets} port=5432 user=postgres target_session_attrs=read-write"
            f" application_name=n{number}",
            "wal_keep_size": "1GB",
            "wal_retrieve_retry_interval": "100ms",
            **self.settings,
        }

    def _sockets(self, number: int) -> Path:
        return self.home / f"n{number}" / "run"

    def url(self, *numbers: int, attributes: str = "any") -> str:
        """The URL of the first of these nodes that has the attributes."""
        hosts = ",".join(str(self._sockets(n)) for n in numbers)
        return f"postgresql://postgres@/postgres?host={hosts}&port=5432&target_session_attrs={attributes}"

    @property
    def replicas(self) -> list[int]:
        return [n for n in self._numbers if n != self.primary]

    def __enter__(self) -> str:
        self.nodes[self.primary].start()
        for number in self.replicas:
            self._join(number)
        return self.url(*self._numbers, attributes="read-write")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self.nodes.values():
            node.stop()

    def _join(self, number: int) -> None:
        """Start the node as a new replica, from a base backup."""
        node, home = self.nodes[number], self.nodes[number].home
        shutil.rmtree(home / "data", ignore_errors=True)
        home.mkdir(exist_ok=True)
        subprocess.run(
            [
                *(find_binaries() / "pg_basebackup", "-d", self.url(self.primary).split("&target")[0]),
                *("-D", home / "data", "--write-recovery-conf", "--checkpoint=fast", "--no-sync"),
            ],
            check=True,
            capture_output=True,
        )
        owner = (self.nodes[self.primary].home / "data").stat()
        for path in (home / "data", *(home / "data").rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
        node.start()

    async def fail_over(self) -> None:
        """Kill all processes of the primary and promote the replica that has received most."""
        killed, started = self.primary, time.monotonic()
        postmaster = int((self.nodes[killed].home / "data/postmaster.pid").read_text().split()[0])
        for pid in (postmaster, *children_of(postmaster)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        has = {n: await self._received(n) for n in self.replicas}
        self.primary = max(has, key=lambda number: has[number])
        async with connect(self.url(self.primary)) as conn:
            assert await conn.fetchval("SELECT pg_promote()")
        self.failovers_s.append(time.monotonic() - started)
        await asyncio.to_thread(self.nodes[killed].stop)

    async def rejoin(self) -> None:
        """Start the killed node again, as a replica."""
        for number in self.replicas:
            try:
                await self._received(number)
            except Unavailable:
                await asyncio.to_thread(self._join, number)

    @asynccontextmanager
    async def replay_paused(self) -> AsyncIterator[None]:
        """Replicas show the current state and nothing newer, although they receive it."""
        async with connect(self.url(self.primary)) as conn:
            there = await conn.fetchval("SELECT pg_current_wal_flush_lsn()::text")
        async with AsyncExitStack() as connected:
            conns = [await connected.enter_async_context(connect(self.url(n))) for n in self.replicas]
            for conn in conns:
                while not await conn.fetchval("SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", there):
                    await asyncio.sleep(0.01)
                await conn.execute("SELECT pg_wal_replay_pause()")
                while await conn.fetchval("SELECT pg_get_wal_replay_pause_state()") != "paused":
                    await asyncio.sleep(0.01)
            try:
                yield
            finally:
                for conn in conns:
                    await conn.execute("SELECT pg_wal_replay_resume()")

    async def _received(self, number: int) -> int:
        async with connect(self.url(number)) as conn:
            return int(await conn.fetchval("SELECT pg_last_wal_receive_lsn() - '0/0'::pg_lsn"))


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
