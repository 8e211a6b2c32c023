"""Shared by all parts: options, databases, servers, their CPU time and memory, and tables."""

import math
import os
import resource
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import cycle, repeat
from pathlib import Path

import orjson

from app.db.connections import connect
from app.demo.embedded_postgres import EmbeddedPostgres
from tests.benchmarks import data, driver
from tests.benchmarks.operations import Variables
from tests.databases import accepts_connections, free_port, migrate_whole, new_database, new_home
from tests.http.auth import issuer
from tests.processes import CHECKOUT, running_process

POOL_SIZE = 10
SUBJECTS = 1000
"""Subjects that send requests, each with a token: a single one would exceed its rate limit."""
_SETTINGS = {"max_connections": "200", "shared_buffers": "1GB", "max_wal_size": "4GB"}


@dataclass(frozen=True, slots=True)
class Options:
    rounds: int
    seconds: float
    """Duration of each measurement in each round."""
    tickets: int
    sizes: Sequence[int]
    """Sizes of the growing database, in tickets."""


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    port: int
    pid: int
    tokens: Sequence[str] = ()

    def requests(self, document: str | Iterator[str], variables: Iterator[Variables]) -> Iterator[bytes]:
        """Encode requests, each with the token of the next subject, and its own text if there are several."""
        authorization = cycle([f"Authorization: Bearer {token}\r\n" for token in self.tokens] or [""])
        documents = repeat(document) if isinstance(document, str) else document
        for text, each in zip(documents, variables, strict=False):
            body = orjson.dumps({"query": text, "variables": each})
            head = (
                "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                f"Accept: application/json\r\n{next(authorization)}Content-Length: {len(body)}\r\n\r\n"
            )
            yield head.encode() + body


@contextmanager
def postgres() -> Iterator[str]:
    """A durable PostgreSQL, as in production."""
    with new_home() as home, EmbeddedPostgres(home, settings=_SETTINGS) as url:
        yield url


@asynccontextmanager
async def loaded(server: str, tickets: int) -> AsyncIterator[str]:
    """The URL of a new database with this many tickets."""
    async with new_database(server) as url:
        await migrate_whole(url)
        await data.prepare(url)
        await data.load(url, 1, tickets)
        yield url


@contextmanager
def baton(database: str, program: Sequence[str] = ("-m", "app")) -> Iterator[Server]:
    """Baton as in production: it verifies tokens of an identity provider."""
    with new_home() as home:
        certificate = issuer.certificate(home)
        with issuer.running(certificate) as provider:
            provider.keys = [issuer.ED.jwk]
            environment = {
                "APP_ENV": "production",
                "DATABASE_URL": database,
                "DATABASE_POOL_SIZE": str(POOL_SIZE),
                # The peers have no such timeout; 32 large lists at once may take more than 2 s.
                "DATABASE_ACQUIRE_TIMEOUT_S": "30",
                "AUTH_JWKS_URL": provider.url,
                "AUTH_ISSUER": issuer.ISSUER,
                "AUTH_AUDIENCE": issuer.AUDIENCE,
                "ALLOWED_HOSTS": "127.0.0.1",
                "SHUTDOWN_DRAIN_S": "1",
                "SSL_CERT_FILE": str(certificate[0]),
            }
            port = free_port()
            command = [sys.executable, *program, "serve", "--port", str(port)]
            with running_server("Baton", command, port, environment) as server:
                yield Server(server.name, port, server.pid, _tokens())


def _tokens() -> list[str]:
    ends_at = int(time.time()) + 24 * 60 * 60
    return [issuer.token(issuer.ED, sub=f"person-{n}", exp=ends_at) for n in range(SUBJECTS)]


@contextmanager
def running_server(
    name: str, command: Sequence[str], port: int, environment: Mapping[str, str], folder: Path = CHECKOUT
) -> Iterator[Server]:
    """Run a server. Its log is shown if it does not start."""
    with (
        new_home() as home,
        running_process(
            command, lambda: accepts_connections(port), home / "log", cwd=folder, env=os.environ | environment
        ) as process,
    ):
        yield Server(name, port, process.pid)


def memory_mb(pid: int | str) -> float:
    """Resident memory of the process, or of "self"."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize() / 1e6


def cpu_s(*pids: int) -> float:
    """CPU seconds of the processes so far. One that has exited counts 0."""
    ticks = 0
    for pid in pids:
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists():
            fields = stat.read_text(encoding="ascii").rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def backends(database: str) -> list[int]:
    """The process ids of the database's client backends."""
    async with connect(database) as conn:
        rows = await conn.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    return [row["pid"] for row in rows]


@dataclass(frozen=True, slots=True)
class Flood:
    """What one run at the maximum rate measured."""

    per_s: float
    cpu_ms: float
    database_ms: float
    latencies_s: Sequence[float]


async def flood(
    server: Server,
    database: str,
    requests: Iterator[bytes],
    seconds: float,
    expected: bytes,
    name: str,
    *,
    connections: int = driver.CONNECTIONS,
) -> Flood:
    backend_pids = await backends(database)
    cpu_before, database_cpu_before = cpu_s(server.pid), cpu_s(*backend_pids)
    responses = await driver.flood(server.port, requests, seconds, expected=expected, connections=connections)
    responses.check(name)
    done = len(responses.latencies_s)
    return Flood(
        done / responses.duration_s,
        (cpu_s(server.pid) - cpu_before) / done * 1e3,
        (cpu_s(*backend_pids) - database_cpu_before) / done * 1e3,
        responses.latencies_s,
    )


def median_and_range(values: Sequence[float], form: str = ".0f") -> str:
    """The median, with minimum and maximum when there are several values."""
    if len(values) < 2:
        return f"{values[0]:{form}}"
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def percentile_ms(latencies_s: Sequence[float], percent: int) -> float:
    """The latency that `percent` % of the requests do not exceed."""
    return sorted(latencies_s)[math.ceil(len(latencies_s) * percent / 100) - 1] * 1e3


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    print(f"\n### {title}\n")
    for row in (head, ["---", *["---:"] * (len(head) - 1)], *rows):
        print(f"| {' | '.join(row)} |")
    sys.stdout.flush()
