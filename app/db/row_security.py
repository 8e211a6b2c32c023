"""Row security: the migrator and its report must see every row.

PostgreSQL filters rows silently. With row_security off it raises an error where it would filter.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from app.db import names, sql
from app.db.migration_files import MigrationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.db.connections import Connection

_FILTERED = """
SELECT c.oid::regclass::text, current_user::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND row_security_active(c.oid)
  AND (n.nspname IN ('baton', 'baton_legacy') OR (n.nspname = 'public' AND c.relname = ANY ($1::text[])))
ORDER BY 1"""


@asynccontextmanager
async def all_rows(conn: Connection) -> AsyncIterator[None]:
    """Within the block no statement is filtered. Raises MigrationError if the role may not see all rows."""
    if filtered := await conn.fetch(_FILTERED, names.tables(sql.MIGRATIONS)):
        raise MigrationError(
            f"Row security hides rows of {', '.join(row[0] for row in filtered)} from the role "
            f"{filtered[0][1]}, so nothing was counted or changed: use a role with BYPASSRLS, or the owner "
            "of the tables after ALTER TABLE ... NO FORCE ROW LEVEL SECURITY."
        )
    await conn.execute("SET row_security = off")
    try:
        yield
    finally:
        if not conn.is_closed():
            await conn.execute("RESET row_security")
