"""What the tests of the pages need in the database: a fault that three engineers know about."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.run import run
from app.domain.model import Assignment, EngineerId, TicketId
from app.graphql.admission.trusted_documents import own_documents
from tests.factories import DISPATCHER, Factories

if TYPE_CHECKING:
    from playwright.async_api import Request


@dataclass(frozen=True, slots=True)
class Scene:
    """One ticket that nobody holds, on a device of a kind of its own."""

    make: Factories
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


async def new_scene(make: Factories) -> Scene:
    mark = uuid4().hex[:8]
    kind = f"Kind-{mark}"
    engineers = [await make.engineer(f"{name} {mark}", skills=[kind]) for name in ("Ana", "Ben", "Cleo")]
    equipment = await make.equipment(name="Ring scanner", category=kind)
    ticket = await make.ticket(ticket_number=f"SR-{mark}", equipment_id=equipment, issue_category="Noise")
    return Scene(make, mark, ticket, kind, *engineers)


def operation_in(request: Request) -> str | None:
    """Its kind and name, such as `mutation AcceptAssignment`; None of another request."""
    asked = json.loads(request.post_data or "null")
    text = own_documents().get(asked["documentId"].removeprefix("sha256:"), "") if asked else ""
    found = re.search(r"(query|mutation|subscription) \w+", text)
    return found and found[0]
