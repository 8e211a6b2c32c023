"""Grants the server's role the privileges it needs, and no more; the statements are in sql/grants.sql."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.db import sql
from app.db.migration_files import MigrationError

if TYPE_CHECKING:
    from app.db.connections import Connection


async def grant(conn: Connection, role: str) -> None:
    """Grant to a role, before or after the migration that moves the history to schema public.

    Raises MigrationError if there is no such role.
    """
    if not await conn.fetch("SELECT FROM pg_roles WHERE rolname = $1", role):
        raise MigrationError(f"There is no role {role!r}: run CREATE ROLE first.")
    name = await conn.fetchval("SELECT quote_ident($1)", role)
    statements = (sql.ROOT / "grants.sql").read_text(encoding="utf-8").replace("%I", name)
    async with conn.transaction():
        if await conn.fetchval("SELECT to_regclass('baton.engineer_assignments') IS NOT NULL"):
            await conn.execute("SET LOCAL search_path = baton, public")
            await conn.execute(f"GRANT USAGE ON SCHEMA baton TO {name}")
        await conn.execute(statements)
