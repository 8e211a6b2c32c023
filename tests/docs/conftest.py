"""One seeded database, and one server on it, for all that the documents show."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from app.config import Settings
from app.db.connections import connect
from app.db.pool import open_database
from app.demo.load import seed
from tests.apps import SECRET
from tests.databases import free_port, migrate_whole, new_database
from tests.docs.examples import Reader
from tests.docs.markdown import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_OURS = {f.name.upper() for f in fields(Settings)}
_PATIENCE_S = 30


@dataclass(frozen=True)
class Served:
    database: str
    origin: str


def environment(database_url: str) -> dict[str, str]:
    """Of a reader who has installed the product and set up its database."""
    others = {name: value for name, value in os.environ.items() if name not in _OURS}
    python = os.path.dirname(sys.executable)  # noqa: PTH120 - not where its links lead
    return others | {
        "DATABASE_URL": database_url,
        "AUTH_DEV_SECRET": SECRET,
        "PATH": f"{python}:{others['PATH']}",
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture(scope="session")
async def operator(server: str) -> str:
    """The server's URL for who sets databases up and is no superuser."""
    async with connect(server) as conn:
        await conn.execute("CREATE ROLE operator LOGIN CREATEDB")
        # Whom the runbook gives rights.
        await conn.execute("CREATE ROLE baton_server LOGIN")
    return server.replace("//postgres@", "//operator@")


@pytest.fixture(scope="session")
async def seeded(operator: str) -> AsyncIterator[str]:
    """The name of a database with demo data that nobody is connected to."""
    async with new_database(operator) as url:
        await migrate_whole(url)
        async with open_database(url, pool_size=1) as db:
            # As of the day that the documents show.
            await seed(db, now=datetime(2026, 7, 1, 12, tzinfo=UTC))
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture(scope="session")
async def database(operator: str, seeded: str) -> AsyncIterator[str]:
    async with new_database(operator, seeded) as url:
        yield url


@pytest.fixture(scope="session")
def served(database: str) -> Iterator[Served]:
    port = free_port()
    command = [sys.executable, "-m", "app", "serve", "--port", str(port)]
    served = Served(database, f"http://127.0.0.1:{port}")
    with subprocess.Popen(command, cwd=ROOT, env=environment(database), stdout=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + _PATIENCE_S
            while not _is_ready(served):
                assert process.poll() is None, "the server has ended"
                assert time.monotonic() < deadline, "the server is not ready"
                time.sleep(0.05)
            yield served
        finally:
            # It need not wait for a load balancer.
            process.kill()


def _is_ready(served: Served) -> bool:
    try:
        return httpx.get(f"{served.origin}/readyz").is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
async def reader(database: str) -> AsyncIterator[Reader]:
    async with connect(database) as conn:
        yield Reader(conn)
