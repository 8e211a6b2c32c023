"""Properties of the database server; the statements are in sql/queries/server.sql."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from app.db import sql
from app.db.connections import alter_role

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from app.db.connections import Connection


@dataclass(frozen=True, slots=True)
class Server:
    version: str
    version_number: int
    database: str
    user: str
    is_superuser: bool
    now: datetime
    extensions: tuple[str, ...]


_ABOUT = sql.load("server", "about_server", row=Server)
_DIFFERING_SETTINGS = sql.load("server", "settings_that_differ", row=str)
_HIDDEN = sql.load("server", "tables_with_hidden_rows", row=str)
_WRITTEN = sql.load("server", "written_position", row=int)
_REPLAYED = sql.load("server", "replayed_position", row=int)
_PLAN_FOR_VALUES = sql.load("server", "plan_for_values", row=str)


async def about(conn: Connection) -> Server:
    return await _ABOUT.one(conn)


async def settings_to_change(conn: Connection, expected: Mapping[str, str]) -> list[str]:
    """One sentence for each setting with another value in this session, with the statement to change it."""
    here = await about(conn)
    differing = await _DIFFERING_SETTINGS.all(conn, list(expected), list(expected.values()))
    statements = [alter_role(here.user, n, expected[n], database=here.database) for n in differing]
    return [
        f"The role has another {name}. As an administrator: {statement}"
        for name, statement in zip(differing, statements, strict=True)
    ]


async def tables_with_hidden_rows(conn: Connection, tables: Sequence[str]) -> list[str]:
    """The tables of which row security hides rows from the role of this session."""
    return await _HIDDEN.all(conn, tables)


async def written_position(conn: Connection) -> int:
    """The WAL position (LSN), in bytes. Raises on a replica."""
    return await _WRITTEN.one(conn)


async def replayed_position(conn: Connection) -> int | None:
    """The WAL position (LSN) replayed, in bytes; None on a primary."""
    return await _REPLAYED.first(conn)


@asynccontextmanager
async def planned_for_values(conn: Connection) -> AsyncIterator[None]:
    """Within the block, reads are planned for their parameter values instead of with a generic plan."""
    async with conn.transaction():
        await _PLAN_FOR_VALUES.first(conn)
        yield
