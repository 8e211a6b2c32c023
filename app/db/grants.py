"""Grants the server's role the privileges it needs, and no more; the statements are in sql/grants.sql."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from app.db import sql
from app.db.connections import transaction_on_own_schemas
from app.db.migration_files import MigrationError

if TYPE_CHECKING:
    from app.db.connections import Connection, Tx

_BEFORE_CONTRACT = "GRANT USAGE ON SCHEMA baton TO %I;\n"
_IS_BEFORE_CONTRACT = """
SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'baton' AND c.relname = 'engineer_assignments'"""
_GRANT = re.compile(r"^GRANT (.+) ON (SCHEMA|FUNCTION|SEQUENCE|) ?(.+) TO %I;$", re.MULTILINE)
_MISSING = """
SELECT g.privilege || ' on ' || g.object
FROM unnest($1::text[], $2::text[], $3::text[]) AS g (privilege, kind, object)
WHERE NOT CASE g.kind
    WHEN 'SCHEMA' THEN has_schema_privilege($4::name, g.object, g.privilege)
    WHEN 'SEQUENCE' THEN has_sequence_privilege($4::name, g.object, g.privilege)
    WHEN 'FUNCTION' THEN has_function_privilege($4::name, g.object, g.privilege)
    ELSE has_table_privilege($4::name, g.object, g.privilege) END"""


async def grant(conn: Connection, role: str) -> None:
    """Grant to a role, before or after the migration that moves the history to schema public.

    Raises MigrationError if there is no such role, or if it has not got all privileges.
    """
    if not await conn.fetch("SELECT FROM pg_roles WHERE rolname = $1", role):
        raise MigrationError(f"There is no role {role!r}: run CREATE ROLE first.")
    name = await conn.fetchval("SELECT quote_ident($1)", role)
    async with transaction_on_own_schemas(conn) as tx:
        await tx.execute((await _statements(tx)).replace("%I", name))
        # PostgreSQL only warns if the own role may not grant something.
        if missing := await _missing(tx, role):
            raise MigrationError(
                f"Nothing was granted, because this role may not grant {', '.join(missing)}: "
                "run migrate grant as the owner of the tables."
            )


async def missing_privileges(conn: Connection, role: str) -> list[str]:
    """Return the privileges that `grant` would add, such as "SELECT on engineers"."""
    async with transaction_on_own_schemas(conn) as tx:
        return await _missing(tx, role)


async def _missing(tx: Tx, role: str) -> list[str]:
    wanted = [
        (privilege, kind, item)
        for privileges, kind, objects in _GRANT.findall(await _statements(tx))
        for item in objects.split(", ")
        for privilege in privileges.split(", ")
    ]
    columns = [list(column) for column in zip(*wanted, strict=True)]
    return [row[0] for row in await tx.fetch(_MISSING, *columns, role)]


async def _statements(tx: Tx) -> str:
    text = (sql.ROOT / "grants.sql").read_text(encoding="utf-8")
    return _BEFORE_CONTRACT + text if await tx.fetch(_IS_BEFORE_CONTRACT) else text
