"""PostgreSQL for all tests: one server per session, one migrated template, and databases cloned from it."""

import gc
import pkgutil
from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, settings
from starlette.types import ASGIApp

import app.queries
from app.db.connections import Tx, rolled_back
from app.db.pool import Database, open_database
from app.graphql.admission.limits import Limits
from app.http.auth.tokens import DevelopmentTokens
from tests.apps import TOKENS, authorization, client_of, client_of_running, make_app, running_app
from tests.commands.world import World
from tests.databases import delete_all_rows, migrate_whole, new_database, new_server
from tests.factories import Factories
from tests.pgbouncer import USE_FOR_ALL_TESTS, all_pools_through, create_role, pgbouncer

# Time limits would fail on a busy machine.
settings.register_profile("baton", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("baton")

# Tests of all statements need those of modules that only some commands import, too.
for module in pkgutil.iter_modules(app.queries.__path__):
    import_module(f"app.queries.{module.name}")

pytest_plugins = ["tests.processes", "tests.serving"]

POOL_SIZE = 10


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.markexpr or any(".py" in argument for argument in config.args):
        return
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.skip(reason="takes long: make soak"))


def pytest_collection_finish() -> None:
    """Exclude the modules and collected tests from garbage collection: they live until the end."""
    gc.freeze()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with new_server() as url:
        yield url


@pytest.fixture(scope="session", autouse=USE_FOR_ALL_TESTS)
async def _pooler(server: str) -> AsyncIterator[None]:
    """Run all tests through PgBouncer, if the environment enables it."""
    await create_role(server)
    with pgbouncer(server) as pooled, all_pools_through(pooled, server):
        yield


@pytest.fixture
async def empty_database(server: str) -> AsyncIterator[str]:
    async with new_database(server) as url:
        yield url


@pytest.fixture(scope="session")
async def template(server: str) -> AsyncIterator[str]:
    """The name of a migrated database without connections."""
    async with new_database(server) as url:
        await migrate_whole(url)
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture
async def fresh_url(server: str, template: str) -> AsyncIterator[str]:
    """A new migrated database."""
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
    """A shared migrated database; emptied after the test."""
    yield _shared_db
    # Retries if the feed of an application that is stopping still reads.
    await _shared_db.in_transaction(delete_all_rows)


@pytest.fixture
async def tx(_shared_db: Database) -> AsyncIterator[Tx]:
    """A transaction that is rolled back."""
    async with _shared_db.connection() as conn, rolled_back(conn):
        yield conn


@pytest.fixture
def make(db: Database) -> Factories:
    return Factories(db)


@pytest.fixture
def world(db: Database) -> World:
    return World(db)


@pytest.fixture
def tokens() -> DevelopmentTokens:
    return TOKENS


@pytest.fixture(scope="session")
async def _shared_app(shared_url: str) -> AsyncIterator[ASGIApp]:
    limits = Limits(bucket=10**9)  # otherwise tests would use up the points of those after them
    async with running_app(make_app(shared_url, database_pool_size=POOL_SIZE, limits=limits)) as app:
        yield app


@pytest.fixture
async def client(db: Database, _shared_app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of the application that most tests share, signed in as a dispatcher."""
    async with client_of_running(_shared_app, headers=authorization()) as client:
        yield client


@pytest.fixture
async def own_client(db: Database, shared_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """As `client`, with an application of this test alone."""
    app = make_app(shared_url, database_pool_size=POOL_SIZE)
    async with client_of(app, headers=authorization()) as client:
        yield client
