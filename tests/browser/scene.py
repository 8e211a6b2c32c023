"""What the tests of the pages need in the database: a fault that three engineers know about."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.run import run
from app.domain.model import Assignment, EngineerId, TicketId
from tests.make import DISPATCHER, Make


@dataclass(frozen=True, slots=True)
class Scene:
    """One ticket that nobody holds, on a device of a kind of its own."""

    make: Make
    mark: str
    """In the names of all that belongs to it: other tests have people of the same names."""
    ticket: TicketId
    kind: str
    ana: EngineerId
    ben: EngineerId
    cleo: EngineerId

    @property
    def number(self) -> str:
        return f"SR-{self.mark}"

    @property
    def path(self) -> str:
        return f"/tickets/{self.ticket}"

    async def assign(self, engineer: EngineerId) -> Assignment:
        return await run(
            self.make.db, DISPATCHER, assign_ticket, AssignTicket(ticket_id=self.ticket, engineer_id=engineer)
        )


async def new_scene(make: Make) -> Scene:
    mark = uuid4().hex[:8]
    kind = f"Kind-{mark}"
    engineers = [await make.engineer(f"{name} {mark}", skills=[kind]) for name in ("Ana", "Ben", "Cleo")]
    equipment = await make.equipment(name="Ring scanner", category=kind)
    ticket = await make.ticket(ticket_number=f"SR-{mark}", equipment_id=equipment, issue_category="Noise")
    return Scene(make, mark, ticket, kind, *engineers)
