"""The data of a test: an unassigned ticket, and three engineers who have the skill for it."""

import json
import re
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from playwright.async_api import Request

from app.domain.model import Assignment, EngineerId, TicketId
from app.graphql.admission.trusted_documents import own_documents
from tests.commands.world import World
from tests.factories import Factories


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
        return await self.make.assigned(ticket=self.ticket, engineer=engineer)

    async def hand_over(self, action: str, **values: Any) -> Assignment:
        """Escalate or reassign the ticket."""
        [*_, current] = await self.world.history(self.ticket)
        return await self.world.act(action, current, **values)

    @property
    def world(self) -> World:
        return World(self.make.db)


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
