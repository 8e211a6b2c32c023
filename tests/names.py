"""Collects the names that the migrations use, for sql/migrations/names.txt.

The migrations run step by step, up, through the contract and down; the catalog shows what each step adds.
Names that exist only within a migration are those that it renames to.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pglast import ast, parse_sql
from pglast.enums import ObjectType

from app.db import migrate, sql
from app.db.connections import Connection, connect
from app.db.migration_files import Migration, read
from tests.databases import new_database

NAMES = sql.MIGRATIONS / "names.txt"
_HEADER = (
    "# Names that the migrations use: version, kind, name, table. Made by `make fix`; compared in tests.\n"
)
HISTORY = "baton_migrations"
_OLD_TABLES = ["engineers", "equipment", "service_tickets", "engineer_assignments"]
_CATALOG = """
SELECT 'schema', nspname::text, NULL FROM pg_namespace WHERE nspname !~ '^(pg_.*|information_schema|public)$'
UNION SELECT CASE WHEN relkind IN ('i', 'I', 'S') THEN 'index' ELSE 'table' END, relname, NULL
FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION SELECT 'function', proname, NULL FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
UNION SELECT 'trigger', tgname, relname FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
WHERE NOT tgisinternal AND c.oid = ANY ($1::oid[])"""

Name = tuple[str, str, str | None]


async def collect(server: str) -> str:
    """Return the text of names.txt."""
    migrations = read(sql.MIGRATIONS)
    # In a folder without names.txt, which may be out of date.
    with tempfile.TemporaryDirectory() as folder:
        async with new_database(server) as url, connect(url) as conn:
            versions = await _from_catalog(conn, migrations, Path(folder))
    seen = {name for _, name, _ in versions}
    versions |= {name: m.version for m in migrations for name in _renames(m) if name[1] not in seen}
    versions["table", HISTORY, None] = 0
    lines = sorted(" ".join([f"{version:04}", *filter(None, name)]) for name, version in versions.items())
    return _HEADER + "\n".join(lines) + "\n"


async def _from_catalog(conn: Connection, migrations: list[Migration], folder: Path) -> dict[Name, int]:
    """Return the names that exist after any migration, with the first version that has them."""

    def add(m: Migration) -> None:
        for script in filter(None, (m.up, m.down)):
            shutil.copy(sql.MIGRATIONS / script.file, folder)

    # One file more at a time: with a target, `up` would run the contract before it.
    first, *later = [m for m in migrations if not m.on_request]
    contract = next(m for m in migrations if m.on_request)
    add(first)
    await migrate.up(conn, folder)
    # The old tables are those of these names now; the contract replaces one of them.
    oids = [await conn.fetchval("SELECT $1::regclass::oid", table) for table in _OLD_TABLES]
    old = await _catalog(conn, oids)
    versions: dict[Name, int] = {}
    for m in later:
        add(m)
        await migrate.up(conn, folder)
        versions = dict.fromkeys(await _catalog(conn, oids) - old, m.version) | versions
    add(contract)
    await migrate.up(conn, folder, to=contract.version)
    for kind, name, on_table in await _catalog(conn, oids) - old - versions.keys():
        # The indexes of the history move to schema public, those of the old table leave it.
        versions[kind, name, "engineer_assignments" if kind == "index" else on_table] = contract.version
    for m in reversed(migrations):
        await migrate.down(conn, folder)
        seen = {name for _, name, _ in versions}
        versions |= {name: m.version for name in await _catalog(conn, oids) - old if name[1] not in seen}
    return versions


async def _catalog(conn: Connection, oids: list[int]) -> set[Name]:
    """Return the names in use."""
    return (
        {tuple(row) for row in await conn.fetch(_CATALOG, oids)}
        - {("table", HISTORY, None)}
        - {("index", f"{HISTORY}_pkey", None)}
    )


def _renames(m: Migration) -> Iterator[Name]:
    for script in filter(None, (m.up, m.down)):
        for statement in parse_sql(script.text):
            if isinstance(statement.stmt, ast.RenameStmt):
                kind = statement.stmt.renameType
                if kind == ObjectType.OBJECT_SCHEMA:
                    yield "schema", statement.stmt.newname, None
                elif kind in (ObjectType.OBJECT_TABLE, ObjectType.OBJECT_INDEX):
                    yield (
                        "table" if kind == ObjectType.OBJECT_TABLE else "index",
                        statement.stmt.newname,
                        None,
                    )
