"""A seeded database, and a server on it, for the examples of the documents."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from app.db.connections import connect
from app.db.pool import open_database
from app.demo.load import seed
from tests import apps
from tests.apps import SECRET
from tests.databases import free_port, migrate_whole, new_database
from tests.docs.examples import PlaceholderValues
from tests.docs.markdown import ROOT
from tests.processes import running_app


def environment(database_url: str) -> dict[str, str]:
    """The environment of somebody who has installed Baton and set up its database."""
    python = os.path.dirname(sys.executable)  # noqa: PTH120 - resolving links would leave the virtual environment
    path = f"{python}:{os.environ['PATH']}"
    settings = apps.environment(DATABASE_URL=database_url, AUTH_DEV_SECRET=SECRET)
    return settings | {"PATH": path, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="session")
async def operator(server: str) -> str:
    """The server's URL for a role that may create databases but is not a superuser."""
    async with connect(server) as conn:
        await conn.execute("CREATE ROLE operator LOGIN CREATEDB")
        # The runbook grants privileges to it.
        await conn.execute("CREATE ROLE baton_server LOGIN")
    return server.replace("//postgres@", "//operator@")


@pytest.fixture(scope="session")
async def seeded(operator: str) -> AsyncIterator[str]:
    """The name of a database with demo data, without connections: a template for others."""
    async with new_database(operator) as url:
        await migrate_whole(url)
        async with open_database(url, pool_size=1) as db:
            # The results in the documents are those of this day.
            await seed(db, now=datetime(2026, 7, 1, 12, tzinfo=UTC))
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture(scope="session")
async def database(operator: str, seeded: str) -> AsyncIterator[str]:
    async with new_database(operator, seeded) as url:
        yield url


@pytest.fixture(scope="session")
def origin(database: str, tmp_path_factory) -> Iterator[str]:
    """The origin of a server on `database`."""
    port = free_port()
    env = environment(database) | {"SHUTDOWN_DRAIN_S": "0"}
    with running_app("serve", port=port, env=env, output=tmp_path_factory.mktemp("docs") / "output"):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
async def values(database: str) -> AsyncIterator[PlaceholderValues]:
    async with connect(database) as conn:
        yield PlaceholderValues(conn)
