"""The data of a test: an unassigned ticket, and three engineers who have the skill for it."""

import json
import re
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from playwright.async_api import Request

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.reassign import ReassignTicket, reassign_ticket
from app.commands.run import run
from app.domain.model import Assignment, EngineerId, TicketId
from app.graphql.admission.trusted_documents import own_documents
from tests.factories import DISPATCHER, Factories


@dataclass(frozen=True, slots=True)
class Scene:
    make: Factories
    suffix: str
    """Makes the names unique: other tests use the same database."""
    ticket: TicketId
    skill: str
    ana: EngineerId
    ben: EngineerId
    cleo: EngineerId

    @property
    def number(self) -> str:
        return f"SR-{self.suffix}"

    @property
    def path(self) -> str:
        return f"/tickets/{self.ticket}"

    async def assign(self, engineer: EngineerId) -> Assignment:
        return await self.run(assign_ticket, AssignTicket(ticket_id=self.ticket, engineer_id=engineer))

    async def escalate(self, engineer: EngineerId, reason: str = "Too difficult") -> Assignment:
        command = EscalateTicket(ticket_id=self.ticket, reason=reason, next_engineer_id=engineer)
        return await self.run(escalate_ticket, command)

    async def reassign(self, engineer: EngineerId, reason: str = "Ana is ill") -> Assignment:
        command = ReassignTicket(ticket_id=self.ticket, engineer_id=engineer, reason=reason)
        return await self.run(reassign_ticket, command)

    async def run(self, execute: Any, command: Any) -> Assignment:
        """Run the command as a dispatcher."""
        return await run(self.make.db, DISPATCHER, execute, command)


async def new_scene(make: Factories) -> Scene:
    suffix = uuid4().hex[:8]
    skill = f"Skill-{suffix}"
    engineers = [await make.engineer(f"{name} {suffix}", skills=[skill]) for name in ("Ana", "Ben", "Cleo")]
    equipment = await make.equipment(name="Ring scanner", category=skill)
    ticket = await make.ticket(ticket_number=f"SR-{suffix}", equipment_id=equipment, issue_category="Noise")
    return Scene(make, suffix, ticket, skill, *engineers)


def operation_of(request: Request) -> str | None:
    """The kind and name of the operation, such as `mutation AcceptAssignment`; None if there is none."""
    body = json.loads(request.post_data or "null")
    text = own_documents().get(body["documentId"].removeprefix("sha256:"), "") if body else ""
    operation = re.search(r"(query|mutation|subscription) \w+", text)
    return operation and operation[0]
