"""The two contracts that are kept as text: what clients see, and what the database holds.

`python -m tests.snapshots` writes both anew; a test compares them with the code.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import tempfile
from pathlib import Path

from app.db import migrate, sql
from app.db.embedded import EmbeddedPostgres, find_binaries
from app.db.migration_files import read
from app.db.pool import connect
from app.graphql.schema import sdl

ROOT = Path(__file__).parents[1]
SCHEMA_GRAPHQL = ROOT / "schema.graphql"
SCHEMA_SQL = ROOT / "sql" / "schema.sql"

# What pg_dump says of itself and of its session; only the objects matter.
_NOISE = re.compile(r"^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*)\n", re.MULTILINE)


def dump(url: str) -> str:
    """The schema of a migrated database, the migrator's own table left out."""
    done = subprocess.run(
        [
            find_binaries() / "pg_dump",
            "--schema-only",
            "--no-owner",
            "--no-privileges",
            "--schema=public",
            "--exclude-table=schema_migrations",
            url,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    objects = re.sub(r"\n{2,}", "\n\n", _NOISE.sub("", done.stdout)).strip()
    return f"-- The schema after all migrations. Made by `make fix`; compared in tests.\n\n{objects}\n"


def _migrated_dump() -> str:
    async def up(url: str) -> None:
        async with connect(url) as conn:
            await migrate.up(conn, sql.MIGRATIONS, to=read(sql.MIGRATIONS)[-1].version)

    with tempfile.TemporaryDirectory(prefix="baton-schema-") as home:
        Path(home).chmod(0o755)  # as root, the server runs as somebody else
        with EmbeddedPostgres(Path(home), durable=False) as url:
            asyncio.run(up(url))
            return dump(url)


if __name__ == "__main__":
    SCHEMA_GRAPHQL.write_text(sdl(), encoding="utf-8")
    SCHEMA_SQL.write_text(_migrated_dump(), encoding="utf-8")
