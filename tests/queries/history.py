"""Random assignment histories: rows for the database, and the same rows for a model in Python."""

import random
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from app.db.connections import Connection

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 90
ENGINEERS = [UUID(int=n + 1) for n in range(6)]
CUSTOMERS = ["St. Mary", "Charité", "", None]
MODELS = {"EQ-0": "Auriga", "EQ-1": "Rotara", "EQ-2": None}
PARTS: list[list[dict[str, Any]]] = [
    [],
    [],
    [{"part_number": "7", "part_name": "Coil", "quantity": 2, "cost": "10.55"}],
    [{"quantity": "3", "cost": 1.5}, {"part_name": "without a cost"}, {"quantity": 1, "cost": "n/a"}],
]


@dataclass(frozen=True)
class Ticket:
    id: str
    ticket_number: str
    created_at: datetime
    customer_name: str | None
    equipment_id: str | None


@dataclass
class Row:
    """A row of engineer_assignments."""

    ticket_id: str
    equipment_id: str | None
    assignment_sequence: int
    engineer_id: UUID
    assignment_tier: int
    assignment_type: str
    origin: str
    assigned_at: datetime
    status: str = "assigned"
    accepted_at: datetime | None = None
    rejected_at: datetime | None = None
    completed_at: datetime | None = None
    completion_status: str | None = None
    rejection_reason: str | None = None
    escalation_reason: str | None = None
    cancellation_reason: str | None = None
    time_spent_hours: Decimal | None = None
    parts_used: str = "[]"
    assignment_tier_name: str = "Tier"

    @property
    def ended_at(self) -> datetime | None:
        return None if self.status == "assigned" else self.completed_at or self.rejected_at


class History:
    """The same for the same seed. Some rows are like those of the old application."""

    def __init__(self, seed: int, tickets: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - not for security
        self.tickets = {ticket.id: ticket for ticket in map(self._ticket, range(tickets))}
        self.rows = [row for ticket in self.tickets.values() for row in self._assignments(ticket)]
        self.by_sequence = {(row.ticket_id, row.assignment_sequence): row for row in self.rows}

    async def load(self, conn: Connection) -> None:
        engineers = [(e, f"Engineer {e.int}") for e in ENGINEERS]
        await conn.copy_records_to_table("engineers", columns=["id", "name"], records=engineers)
        equipment = [(equipment_id, "Scanner", model) for equipment_id, model in MODELS.items()]
        await conn.copy_records_to_table("equipment", columns=["id", "name", "model"], records=equipment)
        for table, kind, rows in (
            ("service_tickets", Ticket, self.tickets.values()),
            ("engineer_assignments", Row, self.rows),
        ):
            await conn.copy_records_to_table(
                table, columns=[f.name for f in fields(kind)], records=map(astuple, rows)
            )

    def next_of(self, row: Row) -> Row | None:
        return self.by_sequence.get((row.ticket_id, row.assignment_sequence + 1))

    def previous_of(self, row: Row) -> Row | None:
        return self.by_sequence.get((row.ticket_id, row.assignment_sequence - 1))

    def _ticket(self, number: int) -> Ticket:
        at = BEGIN + timedelta(seconds=self.rng.randrange(DAYS * 86_400))
        equipment_id = self.rng.choice([*MODELS, None])
        return Ticket(f"T-{number}", f"SR-{number}", at, self.rng.choice(CUSTOMERS), equipment_id)

    def _assignments(self, ticket: Ticket) -> Iterator[Row]:
        rng, at, tier, kind = self.rng, ticket.created_at, 1, self.rng.choice(["manual", "auto"])
        old = rng.random() < 0.3
        count = rng.choice([0, 1, 1, 2, 3, 4, 6])
        for sequence in range(1, count + 1):
            at += timedelta(milliseconds=rng.randrange(50_000_000))
            origin = rng.choice(["legacy", "backfill"]) if old else "live"
            row = Row(ticket.id, ticket.equipment_id, sequence, rng.choice(ENGINEERS), tier, kind, origin, at)
            if sequence < count or rng.random() < 0.7:
                at += timedelta(milliseconds=rng.randrange(500_000_000))
                self._end(row, at)
            yield row
            tier += row.status == "escalated" and rng.choice([1, 1, 2])
            manual_type = {"escalated": "escalation", "cancelled": "reassignment"}.get(row.status, "manual")
            kind = rng.choice(["auto", "manual"] if old else ["auto", "manual", manual_type])
            if not old and row.status == "escalated" and kind == "manual":
                kind = manual_type

    def _end(self, row: Row, at: datetime) -> None:
        rng = self.rng
        row.status = rng.choice(
            ["escalated", "escalated", "rejected", "cancelled", "failed", "completed", "completed"]
        )
        if row.status in ("completed", "failed") or rng.random() < 0.5:
            row.accepted_at = row.assigned_at + (at - row.assigned_at) * rng.random()
        if row.status == "rejected":
            row.rejected_at, row.rejection_reason = at, rng.choice(["too far", "Too far", "no parts"])
        else:
            row.completed_at = at
        if row.status in ("completed", "failed") or rng.random() < 0.3:
            row.time_spent_hours = Decimal(rng.randrange(2000)) / 100
            row.parts_used = orjson.dumps(rng.choice(PARTS)).decode()
        if row.status == "completed":
            row.completion_status = rng.choice(
                ["success", "success", "parts_required", "customer_unavailable"]
            )
        elif row.status in ("failed", "escalated"):
            row.completion_status = row.status
        if row.status == "escalated":
            row.escalation_reason = "why"
        elif row.status == "cancelled":
            row.cancellation_reason = "why"
        if row.origin != "live" and rng.random() < 0.5:
            # Rows from the old application often lack these values.
            row.completion_status = row.rejection_reason = row.time_spent_hours = None
            row.accepted_at = None
            if rng.random() < 0.4:
                row.completed_at = row.rejected_at = None
