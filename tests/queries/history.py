"""A made-up history: rows for the database, and the same rows for a model in Python."""

from __future__ import annotations

import random
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from app.db.bulk import copy_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    [{"quantity": "3", "cost": 1.5}, {"part_name": "of unknown cost"}, {"quantity": 1, "cost": "n/a"}],
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
    """An assignment, by its columns."""

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
    """Always the same for a seed. Some of it is as the old application left it."""

    def __init__(self, seed: int, tickets: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - a test's choices
        self.tickets = {ticket.id: ticket for ticket in map(self._ticket, range(tickets))}
        self.rows = [row for ticket in self.tickets.values() for row in self._turns(ticket)]
        self.at_place = {(row.ticket_id, row.assignment_sequence): row for row in self.rows}

    async def load(self, conn: Connection) -> None:
        await copy_rows(conn, "engineers", ["id", "name"], [(e, f"Engineer {e.int}") for e in ENGINEERS])
        devices = [(device, "Scanner", model) for device, model in MODELS.items()]
        await copy_rows(conn, "equipment", ["id", "name", "model"], devices)
        for table, kind, rows in (
            ("service_tickets", Ticket, self.tickets.values()),
            ("engineer_assignments", Row, self.rows),
        ):
            await copy_rows(conn, table, [f.name for f in fields(kind)], map(astuple, rows))

    def next_of(self, row: Row) -> Row | None:
        return self.at_place.get((row.ticket_id, row.assignment_sequence + 1))

    def before(self, row: Row) -> Row | None:
        return self.at_place.get((row.ticket_id, row.assignment_sequence - 1))

    def _ticket(self, number: int) -> Ticket:
        at = BEGIN + timedelta(seconds=self.dice.randrange(DAYS * 86_400))
        device = self.dice.choice([*MODELS, None])
        return Ticket(f"T-{number}", f"SR-{number}", at, self.dice.choice(CUSTOMERS), device)

    def _turns(self, ticket: Ticket) -> Iterator[Row]:
        dice, at, tier, kind = self.dice, ticket.created_at, 1, self.dice.choice(["manual", "auto"])
        old = dice.random() < 0.3
        turns = dice.choice([0, 1, 1, 2, 3, 4, 6])
        for sequence in range(1, turns + 1):
            at += timedelta(milliseconds=dice.randrange(50_000_000))
            origin = dice.choice(["legacy", "backfill"]) if old else "live"
            row = Row(
                ticket.id, ticket.equipment_id, sequence, dice.choice(ENGINEERS), tier, kind, origin, at
            )
            if sequence < turns or dice.random() < 0.7:
                at += timedelta(milliseconds=dice.randrange(500_000_000))
                self._end(row, at)
            yield row
            tier += row.status == "escalated" and dice.choice([1, 1, 2])
            by_person = {"escalated": "escalation", "cancelled": "reassignment"}.get(row.status, "manual")
            kind = dice.choice(["auto", "manual"] if old else ["auto", "manual", by_person])
            if not old and row.status == "escalated" and kind == "manual":
                kind = by_person

    def _end(self, row: Row, at: datetime) -> None:
        dice = self.dice
        row.status = dice.choice(
            ["escalated", "escalated", "rejected", "cancelled", "failed", "completed", "completed"]
        )
        if row.status in ("completed", "failed") or dice.random() < 0.5:
            row.accepted_at = row.assigned_at + (at - row.assigned_at) * dice.random()
        if row.status == "rejected":
            row.rejected_at, row.rejection_reason = at, dice.choice(["too far", "Too far", "no parts"])
        else:
            row.completed_at = at
        if row.status in ("completed", "failed") or dice.random() < 0.3:
            row.time_spent_hours = Decimal(dice.randrange(2000)) / 100
            row.parts_used = orjson.dumps(dice.choice(PARTS)).decode()
        if row.status == "completed":
            row.completion_status = dice.choice(
                ["success", "success", "parts_required", "customer_unavailable"]
            )
        elif row.status in ("failed", "escalated"):
            row.completion_status = row.status
        if row.status == "escalated":
            row.escalation_reason = "why"
        elif row.status == "cancelled":
            row.cancellation_reason = "why"
        if row.origin != "live" and dice.random() < 0.5:
            # What old rows often do not know.
            row.completion_status = row.rejection_reason = row.time_spent_hours = None
            row.accepted_at = None
            if dice.random() < 0.4:
                row.completed_at = row.rejected_at = None
