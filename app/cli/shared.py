"""What several commands need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from app.db import migrate, sql
from app.db.migration_files import MigrationError, read

if TYPE_CHECKING:
    from app.db.connections import Connection

PORT = click.IntRange(0, 65535)


async def require_schema(conn: Connection) -> None:
    if problem := await migrate.problem(conn, read(sql.MIGRATIONS)):
        raise MigrationError(problem)
