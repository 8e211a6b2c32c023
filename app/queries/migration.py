"""The migration report; the statements are in sql/queries/migration.sql."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.db import row_security, sql
from app.db.connections import transaction_on_own_schemas
from app.db.migration_files import MigrationError
from app.domain.model import Assignment, Ticket

if TYPE_CHECKING:
    from app.db.connections import Connection
    from app.db.sql import UnreadableValue


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
_EVERY_TICKET = sql.load("migration", "every_ticket", row=Ticket)
_EVERY_ASSIGNMENT = sql.load("migration", "every_assignment", row=Assignment)

_FETCH_SIZE = 1000


async def report(conn: Connection) -> list[ReportLine]:
    """Raises MigrationError before the migration, or if the role may not see all rows."""
    if not await _HAS_REPORT.one(conn):
        raise MigrationError("The old rows are not migrated yet; run: python -m app migrate up")
    async with row_security.all_rows(conn):
        return await _REPORT.all(conn)


async def unreadable_values(conn: Connection) -> list[UnreadableValue]:
    """Read all tickets and assignments as the server does. Raises MigrationError like `report`."""
    async with row_security.all_rows(conn), transaction_on_own_schemas(conn) as tx:
        return [
            value
            for query in (_EVERY_TICKET, _EVERY_ASSIGNMENT)
            async for value in query.unreadable_values(tx, batch_size=_FETCH_SIZE)
        ]
