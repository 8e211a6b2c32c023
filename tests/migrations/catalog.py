"""What a customer has: every definition in the database as pg_dump states it, and every row."""

import re
import subprocess

from app.db.connections import Connection
from app.demo.embedded_postgres import find_binaries

# What `migrate down --to 0` keeps on purpose.
_OURS = ("--exclude-schema=baton_kept", "--exclude-table=public.baton_migrations")
_OBJECT = re.compile(r"^--\n(-- Name: .*)\n--\n", re.MULTILINE)
_NOISE = re.compile(r"^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\.*)?\n", re.MULTILINE)
_TABLES = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema|baton)'
  AND c.relname <> 'baton_migrations'"""


def definitions(url: str) -> dict[str, str]:
    """The text of each object, by its kind and name; the order of columns and of grants does not matter."""
    command = [find_binaries() / "pg_dump", "--schema-only", *_OURS, url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    _, *parts = _OBJECT.split(text)
    objects = dict(zip(parts[::2], (_NOISE.sub("", body) for body in parts[1::2]), strict=True))
    return {name: _sorted(name, body) for name, body in objects.items() if "pg_trgm;" not in name}


def _sorted(name: str, body: str) -> str:
    if "Type: TABLE;" not in name and "Type: ACL;" not in name:
        return body
    return "\n".join(sorted(line.rstrip(",") for line in body.splitlines()))


async def rows(conn: Connection) -> dict[str, list[str]]:
    """All rows of the customer's tables as JSON, so that the order of columns does not matter."""
    tables = [row[0] for row in await conn.fetch(_TABLES)]
    return {
        table: [row[0] for row in await conn.fetch(f"SELECT to_jsonb(x)::text FROM {table} x ORDER BY 1")]
        for table in tables
    }
