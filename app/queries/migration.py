"""The migration report; the statements are in sql/queries/migration.sql."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.db import row_security, sql
from app.db.migration_files import MigrationError

if TYPE_CHECKING:
    from app.db.connections import Connection


@dataclass(frozen=True, slots=True)
class ReportLine:
    """A count, which must equal `expected` unless that is None."""

    item: str
    counted: int
    expected: int | None

    @property
    def agrees(self) -> bool:
        return self.expected is None or self.expected == self.counted


_HAS_REPORT = sql.load("migration", "has_report", row=bool)
_REPORT = sql.load("migration", "migration_report", row=ReportLine)


async def report(conn: Connection) -> list[ReportLine]:
    """Raises MigrationError before the migration, or if the role may not see all rows."""
    if not await _HAS_REPORT.one(conn):
        raise MigrationError("The old rows are not migrated yet; run: python -m app migrate up")
    async with row_security.all_rows(conn):
        return await _REPORT.all(conn)
