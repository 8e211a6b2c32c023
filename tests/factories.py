"""Factories of rows that tests need, with default values."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.run import run
from app.db.pool import Database
from app.domain.model import Actor, Assignment, AssignmentId, EngineerId, EquipmentId, Role, TicketId
from app.queries import seed

DISPATCHER = Actor("dispatcher@test", Role.DISPATCHER)
ADMIN = Actor("admin@test", Role.ADMIN)
AUDITOR = Actor("auditor@test", Role.AUDITOR)


def as_engineer(engineer_id: EngineerId) -> Actor:
    return Actor(f"engineer:{engineer_id}", Role.ENGINEER, engineer_id)


@dataclass(frozen=True, slots=True)
class Factories:
    db: Database

    async def _insert(self, table: str, **columns: Any) -> Any:
        names, parameters = ", ".join(columns), ", ".join(f"${i}" for i in range(1, len(columns) + 1))
        async with self.db.transaction() as tx:
            # Not recorded as a change of another application.
            await seed.mark_own_changes(tx)
            # After a statement without a name, the pool closes the connection: app/db/session.py.
            statement = f"/* make.{table} */ INSERT INTO {table} ({names}) VALUES ({parameters}) RETURNING id"
            row = await tx.fetchrow(statement, *columns.values())
            return row["id"]

    async def engineer(self, name: str = "Ana Lima", **columns: Any) -> EngineerId:
        return await self._insert("engineers", name=name, **columns)

    async def member(self, engineer: EngineerId, tier: int) -> None:
        """Add the engineer to a tier."""
        async with self.db.connection() as conn:
            statement = "/* make.member */ INSERT INTO engineer_tiers (tier, engineer_id) VALUES ($1, $2)"
            await conn.execute(statement, tier, engineer)

    async def equipment(self, **columns: Any) -> EquipmentId:
        return await self._insert("equipment", **{"id": uuid4().hex, "name": "MRI scanner"} | columns)

    async def ticket(self, **columns: Any) -> TicketId:
        values = {"id": f"TICKET-{uuid4().hex[:8]}", "ticket_number": f"SR-{uuid4().hex[:12]}"} | columns
        return await self._insert("service_tickets", **values)

    async def legacy_assignment(self, **columns: Any) -> AssignmentId:
        """Insert a row as the old application did."""
        defaults = {
            "assignment_sequence": 1,
            "assignment_tier": 1,
            "assignment_tier_name": "OEM",
            "assignment_type": "manual",
            "origin": "legacy",
        }
        return await self._insert("engineer_assignments", **defaults | columns)

    async def assigned(
        self, *, tier: int = 1, ticket: TicketId | None = None, engineer: EngineerId | None = None
    ) -> Assignment:
        """Assign a ticket to an engineer; both are new unless given."""
        command = AssignTicket(
            ticket_id=ticket or await self.ticket(), engineer_id=engineer or await self.engineer(), tier=tier
        )
        return await run(self.db, DISPATCHER, assign_ticket, command)
