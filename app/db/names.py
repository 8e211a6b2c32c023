"""Finds the names that the migrations use and that belong to somebody else.

names.txt, beside the migrations, lists the names: what they create in schema public, and their schemas; it is
made by `python -m tests.snapshots`. A name is our own once the migration that creates it has started. Our
schemas and the table of migrations are recognised by their comments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.db.shape import TABLES

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from app.db.connections import Connection

_LEGACY_TABLES = list(TABLES)
_TAKEN = """
WITH needed AS (
    SELECT n.* FROM unnest($1::text[], $2::text[], $3::text[]) AS n (kind, name, on_table)
)
SELECT 'schema ' || quote_ident(s.nspname) AS object
FROM needed n JOIN pg_namespace s ON s.nspname = n.name
WHERE n.kind = 'schema' AND obj_description(s.oid, 'pg_namespace') LIKE 'Baton: %' IS NOT TRUE
UNION
SELECT CASE c.relkind WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' WHEN 'S' THEN 'sequence'
    WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'c' THEN 'type' ELSE 'table' END
    || ' public.' || quote_ident(c.relname)
FROM needed n JOIN pg_class c ON c.relname = n.name AND c.relnamespace = 'public'::regnamespace
LEFT JOIN pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_class t ON t.oid = i.indrelid
-- The indexes of a table of our own are ours, and those of the old table leave schema public with it.
WHERE n.kind IN ('table', 'index')
  AND NOT coalesce(t.relname = n.on_table OR t.relname = ANY ($4::text[]), false)
  -- The contract sets this view aside, and its down file restores it.
  AND NOT (c.relname = 'current_ticket_assignments' AND c.relkind = 'v' AND ARRAY(
      SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 ORDER BY a.attnum
    ) = string_to_array(
      'ticket_id engineer_id assignment_sequence assignment_tier status assigned_at completed_at', ' '))
UNION
SELECT 'type public.' || quote_ident(t.typname)
FROM needed n JOIN pg_type t ON t.typname = n.name AND t.typnamespace = 'public'::regnamespace
WHERE n.kind = 'table' AND t.typrelid = 0
UNION
SELECT 'function public.' || quote_ident(f.proname)
FROM needed n JOIN pg_proc f ON f.proname = n.name AND f.pronamespace = 'public'::regnamespace
WHERE n.kind = 'function'
UNION
SELECT 'trigger ' || quote_ident(t.tgname) || ' on public.' || quote_ident(n.on_table)
FROM needed n JOIN pg_trigger t ON t.tgname = n.name AND t.tgrelid = to_regclass('public.' || n.on_table)
WHERE n.kind = 'trigger'
ORDER BY 1"""
_SCHEMAS = """
SELECT current_schema(), ARRAY(
    SELECT DISTINCT c.relnamespace::regnamespace::text
    FROM unnest($1::text[]) AS t (name) JOIN pg_class c ON c.oid = to_regclass(t.name)
    WHERE c.relnamespace <> 'public'::regnamespace)"""


async def taken(conn: Connection, folder: Path, started: Collection[int], *, only_schemas: bool) -> list[str]:
    """Return what is in the way of the names of the migrations that are not among the `started` ones."""
    names = [_parse(line) for line in _lines(folder)]
    ours = [name for version, _, name, _ in names if version in started]
    todo = [
        (kind, name, on_table)
        for version, kind, name, on_table in names
        if kind == "schema" or (version not in started and not only_schemas)
    ]
    objects = [row[0] for row in await conn.fetch(_TAKEN, *_columns(todo), ours)]
    if not objects:
        return []
    problem = (
        f"Baton needs names that are in use: {', '.join(objects)}. Rename these or move them to another "
        "schema. If an unreleased version of Baton created them, create the database again"
    )
    return [problem]


async def outside_public(conn: Connection) -> list[str]:
    """Return what is in the way of unqualified names, as in the migrations, that mean those of public."""
    creates_in, elsewhere = (await conn.fetch(_SCHEMAS, _LEGACY_TABLES))[0]
    if not elsewhere and creates_in == "public":
        return []
    problem = (
        "Baton works in schema public, and this role's search_path leads to "
        f"{', '.join(elsewhere) or creates_in or 'no schema'}: set it to public with ALTER ROLE ... SET "
        "search_path, and move the old tables there"
    )
    return [problem]


def tables(folder: Path) -> list[str]:
    """Return the names of the old tables and of our own in schema public."""
    return _LEGACY_TABLES + [name for _, kind, name, _ in map(_parse, _lines(folder)) if kind == "table"]


def _columns(rows: list[tuple[str, str, str | None]]) -> list[list[str | None]]:
    return [[row[n] for row in rows] for n in range(3)]


def _lines(folder: Path) -> list[str]:
    file = folder / "names.txt"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return [line for line in lines if not line.startswith("#")]


def _parse(line: str) -> tuple[int, str, str, str | None]:
    version, kind, name, *on_table = line.split()
    return int(version), kind, name, on_table[0] if on_table else None
