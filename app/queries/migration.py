"""The migration report; the statements are in sql/queries/migration.sql."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.config import this_command
from app.db import row_security, sql
from app.db.connections import transaction_on_own_schemas
from app.db.errors import UNREADABLE_ROW_ERRORS
from app.db.migration_files import MigrationError
from app.db.row_readers import UnreadableValue
from app.domain.events import TicketEvent
from app.domain.model import Assignment, Engineer, Equipment, Ticket

if TYPE_CHECKING:
    from app.db.connections import Connection, Tx


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
_EVERY_ENGINEER = sql.load("migration", "every_engineer", row=Engineer)
_EVERY_EQUIPMENT = sql.load("migration", "every_equipment", row=Equipment)
_EVENT_IDS = sql.load("migration", "event_ids_after", row=int)
_EVENTS = sql.load("migration", "events_between", row=TicketEvent)

_FETCH_SIZE = 1000


async def report(conn: Connection) -> list[ReportLine]:
    """Raises MigrationError before the migration, or if the role may not see all rows."""
    if not await _HAS_REPORT.one(conn):
        raise MigrationError(f"The old rows are not migrated yet: run {this_command()} migrate up.")
    async with row_security.all_rows(conn):
        return await _REPORT.all(conn)


async def unreadable_values(conn: Connection) -> list[UnreadableValue]:
    """Read all rows as the server does. Raises MigrationError like `report`."""
    async with row_security.all_rows(conn), transaction_on_own_schemas(conn) as tx:
        found = [
            value
            for query in (_EVERY_TICKET, _EVERY_ASSIGNMENT, _EVERY_ENGINEER, _EVERY_EQUIPMENT)
            async for value in query.unreadable_values(tx, batch_size=_FETCH_SIZE)
        ]
        last = 0
        while ids := await _EVENT_IDS.all(tx, last, _FETCH_SIZE):
            found += await _unreadable_events(tx, ids)
            last = ids[-1]
        return found


async def _unreadable_events(tx: Tx, ids: list[int]) -> list[UnreadableValue]:
    """Return the unreadable values of consecutive events, with the id of the assignment in the event."""
    try:
        async with tx.transaction():
            values = _EVENTS.unreadable_values(tx, ids[0], ids[-1], batch_size=_FETCH_SIZE)
            return [value._replace(row="event of assignment") async for value in values]
    except UNREADABLE_ROW_ERRORS:  # the server itself cannot read one of them
        if len(ids) == 1:
            return [UnreadableValue("event", ids[0], "assignment")]
        return [value for event_id in ids for value in await _unreadable_events(tx, [event_id])]
