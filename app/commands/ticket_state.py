"""What every command decides on, and what it decides: a locked ticket, and a change to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from app.domain.errors import (
    EngineerInactive,
    EngineerNotFound,
    NoCurrentAssignment,
    SameEngineer,
    TicketNotOpen,
    TransitionNotAllowed,
)
from app.domain.lifecycle import ACTIVE, ALLOWED_FROM, TAKES_NO_ASSIGNMENT, Action, EventType
from app.domain.model import (
    TIER_NAMES,
    Actor,
    Assignment,
    AssignmentId,
    AssignmentStatus,
    Ticket,
    TicketStatus,
)

if TYPE_CHECKING:
    from app.domain.model import AssignmentType, EngineerId


@dataclass(frozen=True, slots=True)
class Change:
    """What a command decided: assignments as they are after it, by sequence, each with its event.

    None as `ticket_status` leaves the ticket as it is. `details` is what the events say besides.
    """

    events: tuple[tuple[EventType, Assignment], ...]
    ticket_status: TicketStatus | None
    details: Mapping[str, object] | None = None

    @property
    def answer(self) -> Assignment:
        """The assignment that clients are shown: the one that opened, else the one that changed."""
        return self.events[-1][1]


@dataclass(frozen=True, slots=True)
class LockedTicket:
    """A ticket that nobody else changes meanwhile: what is decided on it is not written if anybody has.

    `assignment` is the one that the command names, else the current one.
    `engineer_is_active` speaks of the command's next engineer; None when there is no such engineer.
    """

    ticket: Ticket
    assignment: Assignment | None
    last_sequence: int
    engineer_is_active: bool | None
    actor: Actor
    now: datetime

    def assignment_to(self, action: Action) -> Assignment:
        """The assignment, in a status from which `action` may start.

        Raises NoCurrentAssignment, TransitionNotAllowed.
        """
        if self.assignment is None:
            raise NoCurrentAssignment(self.ticket.id)
        if self.assignment.status not in ALLOWED_FROM[action]:
            raise TransitionNotAllowed(self.assignment, action)
        return self.assignment

    def next_assignment(
        self,
        engineer_id: EngineerId,
        *,
        tier: int,
        tier_name: str | None,
        reason: str | None,
        kind: AssignmentType,
    ) -> Assignment:
        """The row that opens now, next in sequence.

        Raises TicketNotOpen, EngineerNotFound, EngineerInactive, SameEngineer.
        """
        if self.ticket.status in TAKES_NO_ASSIGNMENT:
            raise TicketNotOpen(self.ticket.id, self.ticket.status)
        if self.engineer_is_active is None:
            raise EngineerNotFound(engineer_id)
        if not self.engineer_is_active:
            raise EngineerInactive(engineer_id)
        held = self.assignment
        if held is not None and held.status in ACTIVE and held.engineer_id == engineer_id:
            raise SameEngineer(held)
        return Assignment(
            id=AssignmentId(uuid4()),
            ticket_id=self.ticket.id,
            engineer_id=engineer_id,
            equipment_id=self.ticket.equipment_id,
            assignment_sequence=self.last_sequence + 1,
            assignment_tier=tier,
            assignment_tier_name=tier_name or TIER_NAMES[tier],
            assignment_reason=reason,
            assignment_type=kind,
            status=AssignmentStatus.ASSIGNED,
            assigned_by=self.actor.subject,
            assigned_at=self.now,
            accepted_at=None,
            rejected_at=None,
            started_at=None,
            completed_at=None,
            rejection_reason=None,
            escalation_reason=None,
            cancellation_reason=None,
            completion_status=None,
            time_spent_hours=None,
            diagnosis=None,
            actions_taken=None,
            parts_used=(),
            notes=None,
            customer_rating=None,
            customer_feedback=None,
            created_at=self.now,
            updated_at=self.now,
        )
