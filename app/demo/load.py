"""Generates engineers, equipment and tickets with their history, and loads them into the database."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from app.config import OperatorError
from app.demo import fixtures
from app.demo.random_data import RandomData
from app.demo.ticket_history import LAST_ASSIGNED, RULES, TicketHistory
from app.domain.events import EventSource
from app.domain.model import (
    Assignment,
    Engineer,
    EngineerId,
    Equipment,
    EquipmentId,
    Ticket,
    TicketDetails,
    TicketId,
    TicketPriority,
    TicketStatus,
)
from app.queries import seed as queries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from app.db.connections import Tx
    from app.db.pool import Database
    from app.demo.ticket_history import DemoEvent

Row: TypeAlias = "tuple[Any, ...]"

# Small, because the transaction is idle while a chunk is generated, and the database ends idle transactions.
_CHUNK_SIZE = 250
"""Tickets that are generated and copied at once, which bounds the memory."""
_PERIOD = timedelta(days=90)
_PRIORITIES = {
    TicketPriority.CRITICAL: 12,
    TicketPriority.HIGH: 28,
    TicketPriority.MEDIUM: 42,
    TicketPriority.LOW: 18,
}
_DUE_HOURS = {
    TicketPriority.CRITICAL: (1, 8),
    TicketPriority.HIGH: (4, 24),
    TicketPriority.MEDIUM: (8, 72),
    TicketPriority.LOW: (24, 168),
}
"""Hours until the first response and until the resolution are due."""
_ADMIN = "admin@demo"
_EQUIPMENT_STATUSES = {"operational": 86, "down": 8, "under_maintenance": 6}


def _values(row: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass
    return {f.name: getattr(row, f.name) for f in fields(row)}


def _names(row: type[Any]) -> str:
    return " ".join(f.name for f in fields(row))


_COLUMNS = {
    "engineers": "id name email phone engineer_level home_region skills is_active created_at updated_at",
    "hourly_rates": "engineer_id hourly_rate valid_from set_by set_at",
    "equipment": f"{_names(Equipment)} status warranty_expiry created_at updated_at",
    "service_tickets": f"{_names(Ticket)} sla_response_due sla_resolution_due",
    "engineer_assignments": _names(Assignment),
    "ticket_details": _names(TicketDetails),
    "ticket_events": "ticket_id assignment_id type actor source recorded_at assignment changes ticket_version"
    " details",
}


@dataclass(frozen=True, slots=True)
class Machine:
    equipment: Equipment
    kind: fixtures.Kind
    hospital: str


class NotEmpty(OperatorError):
    """Demo data must not be mixed with real tickets."""


@dataclass(frozen=True, slots=True)
class SeedCounts:
    """The number of loaded rows by table."""

    engineers: int
    equipment: int
    tickets: int
    assignments: int
    events: int


async def is_empty(db: Database) -> bool:
    """Whether the database has no engineer and no ticket."""
    async with db.connection() as conn:
        return await queries.is_empty(conn)


async def seed(
    db: Database,
    *,
    tickets: int = 300,
    progress: Callable[[int], None] = lambda _: None,
    now: datetime | None = None,
) -> SeedCounts:
    """Load demo data up to `now` in one transaction. Equal arguments load equal rows.

    `now` has a time zone; None means the database's time. `progress` is called with the number of tickets
    after each chunk. Raises NotEmpty.
    """
    assignment_count = event_count = 0
    async with db.transaction() as tx:
        if not await queries.is_empty(tx):
            raise NotEmpty("The database has engineers or tickets already; demo data needs an empty one.")
        now = now or await queries.current_time(tx)
        data = DemoData(tickets, now.astimezone(UTC).replace(microsecond=0))
        await queries.mark_own_changes(tx)
        await _copy(tx, "engineers", map(data.engineer_row, data.engineers))
        await _copy(tx, "hourly_rates", data.rate_rows())
        await _copy(tx, "equipment", map(data.machine_row, data.machines))
        for first in range(0, tickets, _CHUNK_SIZE):
            histories = [data.history(number) for number in range(first, min(first + _CHUNK_SIZE, tickets))]
            await _copy(tx, "service_tickets", [_ticket_row(history.ticket) for history in histories])
            details = [tuple(_values(history.details).values()) for history in histories]
            await _copy(tx, "ticket_details", details)
            assignments = [_assignment_row(a) for history in histories for a in history.assignments]
            await _copy(tx, "engineer_assignments", assignments)
            events = [_event_row(event) for history in histories for event in history.events]
            await _copy(tx, "ticket_events", events)
            assignment_count, event_count = assignment_count + len(assignments), event_count + len(events)
            progress(len(histories))
    async with db.transaction() as tx:
        await queries.analyze_tables(tx)
    return SeedCounts(len(data.engineers), len(data.machines), tickets, assignment_count, event_count)


async def _copy(tx: Tx, table: str, rows: Iterable[Row]) -> None:
    await tx.copy_records_to_table(table, columns=_COLUMNS[table].split(), records=rows)


class DemoData:
    """Generates rows. The same calls in the same order give the same results."""

    def __init__(self, tickets: int, now: datetime) -> None:
        self.tickets = tickets
        self.now = now
        self.random = RandomData(20_260_101)
        self.engineers = [self._engineer(i) for i in range(min(400, 40 + tickets // 100))]
        self.machines = [self._machine(i) for i in range(min(20_000, 30 + tickets // 3))]
        self.engineers_by_skill = {kind.name: self._engineers_by_level(kind.name) for kind in fixtures.KINDS}

    def history(self, number: int) -> TicketHistory:
        """Return the history of ticket `number`. Ticket 0 is the oldest; most tickets are recent."""
        random = self.random
        age = _PERIOD * ((self.tickets - number - random.random()) / self.tickets) ** 2
        at = self.now - timedelta(seconds=int(age.total_seconds()))
        machine = random.choice(self.machines)
        fault = random.choice(machine.kind.faults)
        ticket = Ticket(
            id=TicketId(random.text_id("TICKET", number + 1, at)),
            ticket_number=f"SR-{at.year}-{number + 1:06}",
            status=TicketStatus.NEW,
            priority=random.weighted(_PRIORITIES),
            customer_name=machine.hospital,
            issue_category=fault.category,
            issue_description=fault.description,
            equipment_id=machine.equipment.id,
            created_at=at,
            updated_at=at,
            started_at=None,
            resolved_at=None,
            closed_at=None,
        )
        engineers = self.engineers_by_skill[machine.kind.name]
        contact = RandomData(number)
        details = TicketDetails(
            ticket.id,
            contact_name=f"{contact.choice(fixtures.FIRST_NAMES)} {contact.choice(fixtures.LAST_NAMES)}",
            contact_phone=f"+1 {contact.randint(201, 989)} 555 01{contact.randint(0, 99):02}",
            site_address=f"{machine.hospital}, room {contact.randint(1, 420)}",
            waiting_since=at,
        )
        history = TicketHistory(random, engineers, fault, ticket, details, at, self.now)
        history.simulate()
        return history

    def _engineer(self, number: int) -> Engineer:
        # Any 30 consecutive engineers include each combination of level and skill twice, and the first 30 are
        # active, so there is always a candidate for a reassignment.
        kinds = fixtures.KINDS
        skills = {kinds[(number // 3 + i) % len(kinds)].name for i in (0, 1)}
        skills |= {kind.name for kind in self.random.sample(kinds, number % 3)}
        first = fixtures.FIRST_NAMES[number % len(fixtures.FIRST_NAMES)]
        last = fixtures.LAST_NAMES[
            (number * 7 + number // len(fixtures.FIRST_NAMES)) % len(fixtures.LAST_NAMES)
        ]
        return Engineer(
            id=EngineerId(self.random.uuid()),
            name=f"{first} {last}",
            email=f"{first}.{last}@fieldservice.example".lower().replace("ö", "oe"),
            level=number % 3 + 1,
            region=self.random.choice(fixtures.REGIONS),
            skills=tuple(sorted(skills)),
            is_active=number < 3 * len(kinds) or number % 4 > 0,
        )

    def engineer_row(self, e: Engineer) -> Row:
        phone = f"+1 {self.random.randint(201, 989)} 555 01{self.random.randint(0, 99):02}"
        hired_at = self.now - timedelta(days=self.random.randint(200, 2500))
        changed_at = hired_at if e.is_active else self.now - LAST_ASSIGNED / 2
        return (e.id, e.name, e.email, phone, e.level, e.region, e.skills, e.is_active, hired_at, changed_at)

    def rate_rows(self) -> Iterator[Row]:
        """Yield rates by level; some were raised in the last month, and one engineer has none."""
        valid_from, raised_at = self.now - _PERIOD - timedelta(days=1), self.now - _PERIOD / 3
        for number, engineer in enumerate(self.engineers[1:]):
            rate = Decimal(64 + 16 * engineer.level)
            yield engineer.id, rate, valid_from, _ADMIN, valid_from
            if number % 4 == 0:
                yield engineer.id, rate + Decimal("4.50"), raised_at, _ADMIN, raised_at

    def _engineers_by_level(self, skill: str) -> dict[int, list[Engineer]]:
        """Return the engineers with the skill, by minimum level."""
        skilled = [e for e in self.engineers if skill in e.skills]
        return {level: [e for e in skilled if e.level >= level] for level in (1, 2, 3)}

    def _machine(self, number: int) -> Machine:
        kind = fixtures.KINDS[number % len(fixtures.KINDS)]
        manufacturer, model = self.random.choice(kind.models)
        bought_at = self.now - timedelta(days=self.random.randint(100, 3000))
        equipment = Equipment(
            id=EquipmentId(self.random.text_id("EQ", number + 1, bought_at)),
            name=f"{model} {kind.noun}",
            serial_number=f"{manufacturer[:2].upper()}{bought_at:%y%m}-{number + 1:05}",
            manufacturer=manufacturer,
            model=model,
            category=kind.name,
        )
        return Machine(equipment, kind, self.random.choice(fixtures.HOSPITALS))

    def machine_row(self, machine: Machine) -> Row:
        status = self.random.weighted(_EQUIPMENT_STATUSES)
        warranty_expiry = self.now.date() + timedelta(days=self.random.randint(-1500, 900))
        created_at = self.now - _PERIOD - timedelta(days=1)
        return (*_values(machine.equipment).values(), status, warranty_expiry, created_at, created_at)


def _ticket_row(ticket: Ticket) -> Row:
    response, resolution = (ticket.created_at + timedelta(hours=h) for h in _DUE_HOURS[ticket.priority])
    return (*_values(ticket).values(), response, resolution)


def _assignment_row(assignment: Assignment) -> Row:
    parts_used = orjson.dumps(assignment.parts_used, default=str).decode()
    return tuple((_values(assignment) | {"parts_used": parts_used}).values())


def _event_row(event: DemoEvent) -> Row:
    after = event.assignment
    source = EventSource.RULE if event.actor is RULES else EventSource.PERSON
    columns = (event.recorded_at, None if after is None else _assignment_json(after), _json(event.changes))
    ids = event.ticket_id, None if after is None else after.id
    return (
        *ids,
        event.type,
        event.actor.subject,
        source,
        *columns,
        event.ticket_version,
        _json(event.details),
    )


def _assignment_json(after: Assignment) -> str:
    row = _values(after) | {"origin": "live"}
    if after.time_spent_hours is not None:
        # As a JSON number, as in to_jsonb(); the costs of parts are text.
        row["time_spent_hours"] = orjson.Fragment(str(after.time_spent_hours))
    return orjson.dumps(row, default=str).decode()


def _json(value: object) -> str | None:
    return None if value is None else orjson.dumps(value, default=str).decode()
