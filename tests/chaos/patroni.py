"""Three nodes managed by Patroni and etcd, on loopback."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson

from app.demo.embedded_postgres import _server_process, find_binaries
from tests.chaos.cluster import NODES, children_of
from tests.databases import free_port

PATIENCE_S = 120
TTL_S = 20
"""The leader lease; the minimum that Patroni allows."""


@dataclass
class PatroniCluster:
    """Like Cluster, but Patroni promotes the next primary."""

    home: Path
    nodes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    primary: int = 0
    failovers_s: list[float] = field(default_factory=list)
    _ports: dict[int, int] = field(default_factory=dict)
    _rest: dict[int, int] = field(default_factory=dict)
    _until_done: ExitStack = field(default_factory=ExitStack)

    def url(self, *numbers: int, attributes: str = "any") -> str:
        hosts = ",".join(f"127.0.0.1:{self._ports[n]}" for n in numbers)
        return f"postgresql://postgres@{hosts}/postgres?target_session_attrs={attributes}"

    async def __aenter__(self) -> str:
        etcd, peers = free_port(), free_port()
        self._run(
            *("etcd", "--data-dir", self.home / "etcd", "--log-level", "error"),
            *("--listen-client-urls", f"http://127.0.0.1:{etcd}"),
            *("--advertise-client-urls", f"http://127.0.0.1:{etcd}"),
            *("--listen-peer-urls", f"http://127.0.0.1:{peers}"),
        )
        for number in range(1, NODES + 1):
            self._ports[number], self._rest[number] = free_port(), free_port()
            folder = self.home / f"n{number}"
            folder.mkdir()
            owner = _server_process(folder / "none")
            if "user" in owner:
                os.chown(folder, owner["user"], owner["group"])
            # JSON is YAML.
            (self.home / f"n{number}.yaml").write_bytes(orjson.dumps(self._settings(number, etcd)))
            self._start(number)
        try:
            await self._until_whole()
        except BaseException:
            await self.__aexit__()
            raise
        return self.url(*self.nodes, attributes="read-write")

    async def __aexit__(self, *_: object) -> None:
        for node in self.nodes.values():
            # Patroni stops its PostgreSQL.
            node.terminate()
        for node in self.nodes.values():
            await asyncio.to_thread(node.wait)
        self._until_done.close()

    def _settings(self, number: int, etcd: int) -> dict[str, Any]:
        port, rest = self._ports[number], self._rest[number]
        return {
            "scope": "baton",
            "name": f"n{number}",
            "restapi": {"listen": f"127.0.0.1:{rest}", "connect_address": f"127.0.0.1:{rest}"},
            "etcd3": {"host": f"127.0.0.1:{etcd}"},
            "bootstrap": {
                "dcs": {
                    "ttl": TTL_S,
                    "loop_wait": 2,
                    "retry_timeout": 5,
                    "synchronous_mode": "quorum",
                    "postgresql": {"parameters": {"wal_keep_size": "1GB"}},
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, {"auth": "trust"}],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{port}",
                "connect_address": f"127.0.0.1:{port}",
                "data_dir": str(self.home / f"n{number}" / "data"),
                "bin_dir": str(find_binaries()),
                "authentication": {
                    "superuser": {"username": "postgres"},
                    "replication": {"username": "postgres"},
                },
                "pg_hba": [f"host {what} all 127.0.0.1/32 trust" for what in ("all", "replication")],
                "parameters": {"unix_socket_directories": "", "timezone": "UTC"},
                "remove_data_directory_on_diverged_timelines": True,
                "remove_data_directory_on_rewind_failure": True,
                "basebackup": [{"checkpoint": "fast"}],
            },
        }

    def _run(self, *command: object, **process: Any) -> subprocess.Popen[bytes]:
        log = self._until_done.enter_context((self.home / "patroni.log").open("ab"))
        running = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, **process)
        self._until_done.callback(running.wait)
        self._until_done.callback(running.kill)
        return running

    def _start(self, number: int) -> None:
        process = _server_process(self.home / f"n{number}")
        process["env"] = os.environ | process["env"] | {"HOME": str(self.home / f"n{number}")}
        as_owner: list[object] = []
        if owner := process.pop("user", None):
            # Root's Python is often in a private folder, so Patroni keeps access to all folders.
            as_owner = ["setpriv", f"--reuid={owner}", f"--regid={process.pop('group')}", "--clear-groups"]
            as_owner += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
            del process["extra_groups"]
        settings = self.home / f"n{number}.yaml"
        self.nodes[number] = self._run(*as_owner, sys.executable, "-m", "patroni", settings, **process)

    async def fail_over(self) -> None:
        """Kill the primary and its Patroni, then wait for the next primary."""
        killed, started = self.primary, time.monotonic()
        postmaster = int((self.home / f"n{killed}/data/postmaster.pid").read_text().split()[0])
        self.nodes[killed].kill()
        for pid in (postmaster, *children_of(postmaster)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.nodes[killed].wait()
        async with asyncio.timeout(PATIENCE_S):
            while (leader := await self._leader()) in {None, killed}:
                await asyncio.sleep(0.1)
        self.failovers_s.append(time.monotonic() - started)
        self.primary = leader or 0

    async def rejoin(self) -> None:
        for number, node in list(self.nodes.items()):
            if node.poll() is not None:
                self._start(number)
        await self._until_whole()

    async def _until_whole(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while sum([await self._is(n, "quorum") for n in self.nodes]) < NODES - 1:
                await asyncio.sleep(0.2)
        self.primary = await self._leader() or 0

    async def _leader(self) -> int | None:
        leaders = [n for n in self.nodes if await self._is(n, "leader")]
        return leaders[0] if leaders else None

    async def _is(self, number: int, what: str) -> bool:
        async with httpx.AsyncClient() as client:
            try:
                answer = await client.get(f"http://127.0.0.1:{self._rest[number]}/{what}")
            except httpx.HTTPError:
                return False
        return answer.is_success
