"""Makes the engineers, the machines and the tickets, and loads them with all that happened."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from app.db.bulk import copy_rows
from app.demo import fixtures
from app.demo.random_data import RandomData
from app.demo.ticket_history import LAST_ASSIGNED, Life
from app.domain.model import (
    Assignment,
    Engineer,
    EngineerId,
    Equipment,
    EquipmentId,
    Ticket,
    TicketId,
    TicketPriority,
    TicketStatus,
)
from app.queries import seed as queries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from app.db.pool import Database
    from app.domain.lifecycle import EventType
    from app.domain.model import Actor

Row: TypeAlias = "tuple[Any, ...]"

# The transaction is idle while a chunk is made up, and the database ends one that is idle for seconds.
_CHUNK = 250
"""Tickets that are made and copied at a time, so that memory does not grow with their number."""
_PAST = timedelta(days=90)
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
"""Until the first response, and until the resolution."""
_OFFICE = "admin@demo"
_EQUIPMENT_STATUSES = {"operational": 86, "down": 8, "under_maintenance": 6}

_ENGINEER_COLUMNS = (
    "id", "name", "email", "phone", "engineer_level", "home_region", "skills", "is_active", "created_at",
    "updated_at",
)  # fmt: skip
_EQUIPMENT_COLUMNS = (
    "id", "name", "serial_number", "manufacturer", "model", "category", "status", "warranty_expiry",
    "created_at", "updated_at",
)  # fmt: skip
_RATE_COLUMNS = ("engineer_id", "hourly_rate", "valid_from", "set_by", "set_at")
_TICKET_FIELDS = tuple(f.name for f in fields(Ticket))
_TICKET_COLUMNS = (*_TICKET_FIELDS, "sla_response_due", "sla_resolution_due")
_ASSIGNMENT_COLUMNS = tuple(f.name for f in fields(Assignment))
_EVENT_COLUMNS = ("ticket_id", "assignment_id", "type", "actor", "occurred_at", "assignment")
_ticket_values: Callable[[Ticket], Row] = attrgetter(*_TICKET_FIELDS)
_assignment_values: Callable[[Assignment], Row] = attrgetter(*_ASSIGNMENT_COLUMNS)
_PARTS_USED = _ASSIGNMENT_COLUMNS.index("parts_used")


@dataclass(frozen=True, slots=True)
class Machine:
    equipment: Equipment
    kind: fixtures.Kind
    hospital: str


class NotEmpty(ValueError):
    """Demo data must never mix with real work."""

    def __init__(self) -> None:
        super().__init__("The database has engineers or tickets already; demo data needs an empty one.")


@dataclass(frozen=True, slots=True)
class SeedCounts:
    """How many rows of each table were loaded."""

    engineers: int
    equipment: int
    tickets: int
    assignments: int
    events: int


async def is_empty(db: Database) -> bool:
    """Whether there is neither an engineer nor a ticket."""
    async with db.connection() as conn:
        return await queries.is_empty(conn)


async def seed(
    db: Database,
    *,
    tickets: int = 300,
    progress: Callable[[int], None] = lambda _: None,
    now: datetime | None = None,
) -> SeedCounts:
    """Load demo data that ends at `now`, all of it or nothing; equal arguments load equal rows.

    `now` has a time zone; None is the database's time. `progress` is told how many more tickets are
    loaded. Raises NotEmpty.
    """
    assignments = events = 0
    async with db.transaction() as tx:
        if not await queries.is_empty(tx):
            raise NotEmpty
        now = now or await queries.current_time(tx)
        world = World(tickets, now.astimezone(UTC).replace(microsecond=0))
        await copy_rows(tx, "engineers", _ENGINEER_COLUMNS, [world.engineer_row(e) for e in world.engineers])
        await copy_rows(tx, "hourly_rates", _RATE_COLUMNS, world.rate_rows())
        await copy_rows(tx, "equipment", _EQUIPMENT_COLUMNS, [world.machine_row(m) for m in world.machines])
        for first in range(0, tickets, _CHUNK):
            lives = [world.life(number) for number in range(first, min(first + _CHUNK, tickets))]
            held = [_assignment_row(a) for life in lives for a in life.assignments]
            told = [_event_row(*event) for life in lives for event in life.events]
            await copy_rows(
                tx, "service_tickets", _TICKET_COLUMNS, [_ticket_row(life.ticket) for life in lives]
            )
            await copy_rows(tx, "engineer_assignments", _ASSIGNMENT_COLUMNS, held)
            await copy_rows(tx, "assignment_events", _EVENT_COLUMNS, told)
            assignments, events = assignments + len(held), events + len(told)
            progress(len(lives))
    async with db.transaction() as tx:
        await queries.analyze_tables(tx)
    return SeedCounts(len(world.engineers), len(world.machines), tickets, assignments, events)


class World:
    """Who and what there is. The same calls in the same order give the same answers."""

    def __init__(self, tickets: int, now: datetime) -> None:
        self.tickets = tickets
        self.now = now
        self.dice = RandomData(20_260_101)
        self.engineers = [self._engineer(i) for i in range(min(400, 40 + tickets // 100))]
        self.machines = [self._machine(i) for i in range(min(20_000, 30 + tickets // 3))]
        self.crews = {kind.name: self._crews(kind.name) for kind in fixtures.KINDS}

    def life(self, number: int) -> Life:
        """Ticket `number` of all, the oldest first and more of them the nearer to today."""
        dice = self.dice
        age = _PAST * ((self.tickets - number - dice.random()) / self.tickets) ** 2
        at = self.now - timedelta(seconds=int(age.total_seconds()))
        machine = dice.choice(self.machines)
        fault = dice.choice(machine.kind.faults)
        ticket = Ticket(
            id=TicketId(dice.text_id("TICKET", number + 1, at)),
            ticket_number=f"SR-{at.year}-{number + 1:06}",
            status=TicketStatus.NEW,
            priority=dice.weighted(_PRIORITIES),
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
        life = Life(dice, self.crews[machine.kind.name], fault, ticket, at, self.now)
        life.play()
        return life

    def _engineer(self, number: int) -> Engineer:
        # Thirty in a row have each level with each skill twice, and the first thirty are active: so there
        # is always somebody to hand a ticket to.
        kinds = fixtures.KINDS
        skills = {kinds[(number // 3 + i) % len(kinds)].name for i in (0, 1)}
        skills |= {kind.name for kind in self.dice.sample(kinds, number % 3)}
        first = fixtures.FIRST_NAMES[number % len(fixtures.FIRST_NAMES)]
        last = fixtures.LAST_NAMES[
            (number * 7 + number // len(fixtures.FIRST_NAMES)) % len(fixtures.LAST_NAMES)
        ]
        return Engineer(
            id=EngineerId(self.dice.uuid()),
            name=f"{first} {last}",
            email=f"{first}.{last}@fieldservice.example".lower().replace("ö", "oe"),
            level=number % 3 + 1,
            region=self.dice.choice(fixtures.REGIONS),
            skills=tuple(sorted(skills)),
            is_active=number < 3 * len(kinds) or number % 4 > 0,
        )

    def engineer_row(self, e: Engineer) -> Row:
        phone = f"+1 {self.dice.randint(201, 989)} 555 01{self.dice.randint(0, 99):02}"
        hired_at = self.now - timedelta(days=self.dice.randint(200, 2500))
        changed_at = hired_at if e.is_active else self.now - LAST_ASSIGNED / 2
        return (e.id, e.name, e.email, phone, e.level, e.region, e.skills, e.is_active, hired_at, changed_at)

    def rate_rows(self) -> Iterator[Row]:
        """What their hours cost: by level, and for some more in the last month. One has no rate yet."""
        since, raised_at = self.now - _PAST - timedelta(days=1), self.now - _PAST / 3
        for number, engineer in enumerate(self.engineers[1:]):
            rate = Decimal(64 + 16 * engineer.level)
            yield engineer.id, rate, since, _OFFICE, since
            if number % 4 == 0:
                yield engineer.id, rate + Decimal("4.50"), raised_at, _OFFICE, raised_at

    def _crews(self, skill: str) -> dict[int, list[Engineer]]:
        """Who has the skill, by the lowest level that will do."""
        skilled = [e for e in self.engineers if skill in e.skills]
        return {level: [e for e in skilled if e.level >= level] for level in (1, 2, 3)}

    def _machine(self, number: int) -> Machine:
        kind = fixtures.KINDS[number % len(fixtures.KINDS)]
        maker, model = self.dice.choice(kind.models)
        bought_at = self.now - timedelta(days=self.dice.randint(100, 3000))
        equipment = Equipment(
            id=EquipmentId(self.dice.text_id("EQ", number + 1, bought_at)),
            name=f"{model} {kind.noun}",
            serial_number=f"{maker[:2].upper()}{bought_at:%y%m}-{number + 1:05}",
            manufacturer=maker,
            model=model,
            category=kind.name,
        )
        return Machine(equipment, kind, self.dice.choice(fixtures.HOSPITALS))

    def machine_row(self, machine: Machine) -> Row:
        e = machine.equipment
        status = self.dice.weighted(_EQUIPMENT_STATUSES)
        warranty_expiry = self.now.date() + timedelta(days=self.dice.randint(-1500, 900))
        known_since = self.now - _PAST - timedelta(days=1)
        named = (e.id, e.name, e.serial_number, e.manufacturer, e.model, e.category)
        return (*named, status, warranty_expiry, known_since, known_since)


def _ticket_row(ticket: Ticket) -> Row:
    response, resolution = (ticket.created_at + timedelta(hours=h) for h in _DUE_HOURS[ticket.priority])
    return (*_ticket_values(ticket), response, resolution)


def _assignment_row(assignment: Assignment) -> Row:
    row = list(_assignment_values(assignment))
    row[_PARTS_USED] = orjson.dumps(assignment.parts_used, default=str).decode()
    return tuple(row)


def _event_row(event: EventType, after: Assignment, actor: Actor) -> Row:
    row = dict(zip(_ASSIGNMENT_COLUMNS, _assignment_values(after), strict=True))
    if after.time_spent_hours is not None:
        # A number, as the database itself would write it; the costs of parts are text.
        row["time_spent_hours"] = orjson.Fragment(str(after.time_spent_hours))
    row["origin"] = "live"
    told = orjson.dumps(row, default=str).decode()
    return (after.ticket_id, after.id, event, actor.subject, after.updated_at, told)
