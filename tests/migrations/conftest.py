"""Databases with legacy tables, cloned from templates that are created on first use."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from app.db import migrate, sql
from app.db.connections import Connection, connect
from app.domain.model import TicketId
from tests.databases import new_database
from tests.migrations.shapes import cases_of, fill


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
