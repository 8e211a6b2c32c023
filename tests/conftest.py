"""A real PostgreSQL for every test: one server a session, one migrated template, databases cloned from it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, settings

from app.asgi import create_app
from app.db.pool import Database, open_database
from app.domain.model import Role
from app.http.auth.tokens import DevelopmentTokens
from tests.databases import migrate_whole, new_database, new_server
from tests.factories import Factories
from tests.pgbouncer import IN_BETWEEN, all_pools_through, give_role, pgbouncer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from app.db.connections import Tx

# How long something takes on a busy machine says nothing about it.
settings.register_profile("baton", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("baton")

# Every application of the tests is as the setting says, also those that a test makes for itself.
if os.environ.get("COMPILED_EXECUTION") == "0":
    create_app.__kwdefaults__["compiled_execution"] = False

pytest_plugins = ["tests.serving"]

POOL_SIZE = 10
SECRET = "a secret of thirty-two characters"  # noqa: S105 - signs tokens of tests only


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with new_server() as url:
        yield url


@pytest.fixture(scope="session", autouse=IN_BETWEEN)
async def _pooler(server: str) -> AsyncIterator[None]:
    """Between the product and the database in every test, where it is asked for."""
    await give_role(server)
    with pgbouncer(server) as pooled, all_pools_through(pooled, server):
        yield


@pytest.fixture
async def empty_database(server: str) -> AsyncIterator[str]:
    async with new_database(server) as url:
        yield url


@pytest.fixture(scope="session")
async def template(server: str) -> AsyncIterator[str]:
    """The name of a migrated database that nobody is connected to."""
    async with new_database(server) as url:
        await migrate_whole(url)
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture
async def fresh_url(server: str, template: str) -> AsyncIterator[str]:
    """A migrated database of the test's own."""
    async with new_database(server, template) as url:
        yield url


@pytest.fixture
async def fresh_db(fresh_url: str) -> AsyncIterator[Database]:
    async with open_database(fresh_url, pool_size=POOL_SIZE) as db:
        yield db


@pytest.fixture(scope="session")
async def shared_url(server: str, template: str) -> AsyncIterator[str]:
    async with new_database(server, template) as url:
        yield url


@pytest.fixture(scope="session")
async def _shared_db(shared_url: str) -> AsyncIterator[Database]:
    async with open_database(shared_url, pool_size=POOL_SIZE) as db:
        yield db


@pytest.fixture
async def db(_shared_db: Database) -> AsyncIterator[Database]:
    """A migrated, empty database, emptied again afterwards."""
    yield _shared_db
    # A feed of an application that has just ended may still be reading; then it is tried again.
    await _shared_db.in_transaction(
        lambda tx: tx.execute("TRUNCATE engineers, equipment, service_tickets, idempotency_keys CASCADE")
    )


@pytest.fixture
async def tx(_shared_db: Database) -> AsyncIterator[Tx]:
    """A transaction that is rolled back."""
    async with _shared_db.connection() as conn:
        transaction = conn.transaction()
        await transaction.start()
        yield conn
        await transaction.rollback()


@pytest.fixture
def make(db: Database) -> Factories:
    return Factories(db)


@pytest.fixture
def tokens() -> DevelopmentTokens:
    return DevelopmentTokens(SECRET)


@pytest.fixture
async def client(
    db: Database, shared_url: str, tokens: DevelopmentTokens
) -> AsyncIterator[httpx.AsyncClient]:
    """The whole application, spoken to over HTTP as a dispatcher."""
    app = create_app(shared_url, tokens, pool_size=POOL_SIZE)
    token = tokens.sign(Role.DISPATCHER, None, ttl_s=600)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://test",
            headers={"Authorization": f"Bearer {token}"},
        ) as client,
    ):
        yield client
