"""Databases with legacy tables, cloned from templates that are created on first use."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from app.db import migrate, sql
from app.db.connections import Connection, connect
from app.domain.model import TicketId
from tests.databases import new_database
from tests.migrations.shapes import DOCUMENTED, OLD_TABLES, cases_of, fill


@dataclass(frozen=True, slots=True)
class LegacyDatabase:
    url: str
    conn: Connection
    tickets: dict[str, TicketId]
    """Ids by the name of the case."""


@pytest.fixture(scope="session")
async def _legacy_template(server):
    names = {}
    async with AsyncExitStack() as stack:

        async def template(shape, *, load, to):
            if (shape.name, load, to) not in names:
                url = await stack.enter_async_context(new_database(server))
                async with connect(url) as conn:
                    await fill(conn, shape, load=load)
                    if to != 0:
                        await migrate.up(conn, sql.MIGRATIONS, to=to)
                names[shape.name, load, to] = urlsplit(url).path.removeprefix("/")
            return names[shape.name, load, to]

        yield template


@pytest.fixture(scope="module")
async def role(server):
    """A role of the customer; its grants end with the databases."""
    name = f"customer_{uuid4().hex}"
    admin = await asyncpg.connect(server)
    await admin.execute(f"CREATE ROLE {name}")
    yield name
    await admin.execute(f"DROP ROLE {name}")
    await admin.close()


@pytest.fixture
async def legacy_database(server, _legacy_template):
    """Creates a database of a shape with a ticket of each case, migrated to `to`.

    None: all migrations but those on request; 0: none. Without `load` there are no tickets.
    """
    async with AsyncExitStack() as stack:

        async def create(shape, *, load=True, to=None):
            template = await _legacy_template(shape, load=load, to=to)
            url = await stack.enter_async_context(new_database(server, template))
            conn = await stack.enter_async_context(connect(url))
            cases = cases_of(shape) if load else {}
            return LegacyDatabase(url, conn, {case.name: TicketId(id_) for id_, case in cases.items()})

        yield create


def as_role(url: str, role: str) -> str:
    return urlsplit(url)._replace(netloc=f"{role}@").geturl()


@pytest.fixture
async def owned(legacy_database):
    """A legacy database of an ordinary role, and the role; the connection is the administrator's."""
    legacy, role = await legacy_database(DOCUMENTED, to=0), f"owner_{uuid4().hex}"
    name = urlsplit(legacy.url).path.removeprefix("/")
    await legacy.conn.execute(f"CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {name} TO {role}")
    await legacy.conn.execute(f"GRANT ALL ON SCHEMA public TO {role}")
    for table in OLD_TABLES:
        await legacy.conn.execute(f"ALTER TABLE {table} OWNER TO {role}")
    yield legacy, role
    await legacy.conn.execute(f"DROP OWNED BY {role}")
    await legacy.conn.execute(f"DROP ROLE {role}")
