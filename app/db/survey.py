"""Counts the old values that the migration will quarantine, before it changes anything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import asyncpg

from app.db.connections import rolled_back
from app.db.errors import one_line

if TYPE_CHECKING:
    from app.db.connections import Connection
    from app.db.migration_files import Migration
    from app.db.migrator import Emit

MAX_ROWS = 1_000_000
"""A larger table is not counted: reading it would take minutes."""

# The functions of the migration that read old values.
_FUNCTIONS = re.compile(r"^-- values: begin.*?^-- values: end$", re.MULTILINE | re.DOTALL)
_OLD_TABLES = """
SELECT c.relname, c.reltuples::bigint FROM pg_class c
WHERE c.oid IN (to_regclass('public.service_tickets'), to_regclass('public.engineer_assignments'))
ORDER BY c.relname DESC"""
_UNKNOWN = {
    "service_tickets": """
        SELECT 'assigned_engineer_id', 'assigned_engineer_id is not that of any engineer'
        WHERE btrim(raw->>'assigned_engineer_id') <> '' AND NOT EXISTS (
            SELECT FROM public.engineers e WHERE e.id = baton.as_uuid(raw->>'assigned_engineer_id'))""",
    "engineer_assignments": """
        SELECT 'status', 'status is not a status of an assignment'
        WHERE raw->>'status' IS NOT NULL AND NOT baton.is_readable('status', raw->'status', false)
        UNION ALL SELECT 'engineer_id', 'engineer_id is not that of any engineer'
        WHERE NOT EXISTS (SELECT FROM public.engineers e WHERE e.id = baton.as_uuid(raw->>'engineer_id'))
        UNION ALL SELECT 'equipment_id', 'equipment_id is not that of any equipment'
        WHERE btrim(raw->>'equipment_id') <> '' AND NOT EXISTS (
            SELECT FROM public.equipment e WHERE e.id = btrim(raw->>'equipment_id'))""",
}
_COUNTS = """
SELECT u.name, u.reason, count(*), min(ARRAY[left(raw->>u.name, 40), raw->>'id'])
FROM (SELECT baton.as_json(o) AS raw FROM public.{table} o OFFSET 0) AS old
CROSS JOIN LATERAL (SELECT * FROM baton.unreadable('{table}', raw) UNION ALL {unknown}) AS u
WHERE u.reason IS NOT NULL
GROUP BY 1, 2 ORDER BY 1"""


async def emit_unreadable(conn: Connection, migrations: list[Migration], emit: Emit) -> None:
    """Emit a line for each column and reason, if the migration that reads the values is pending."""
    for migration in migrations:
        if functions := _FUNCTIONS.search(migration.up.text):
            try:
                async with rolled_back(conn):
                    await _emit(conn, functions[0], emit)
            except asyncpg.PostgresError as error:
                emit(f"The values that cannot be read were not counted: {one_line(error)}")


async def _emit(conn: Connection, functions: str, emit: Emit) -> None:
    await conn.execute(f"SET LOCAL timezone = 'UTC'; CREATE SCHEMA IF NOT EXISTS baton; {functions}")
    for table, rows in await conn.fetch(_OLD_TABLES):
        if rows > MAX_ROWS:
            emit(
                f"{table} has about {rows} rows: which of its values cannot be read is not counted in advance"
            )
            continue
        counts = _COUNTS.format(table=table, unknown=_UNKNOWN[table])
        for name, reason, count, (value, row_id) in await conn.fetch(counts):
            emit(f"{table}.{name}: {count} to be quarantined, such as {value!r} of {row_id}: {reason}")
