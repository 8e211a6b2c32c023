"""The words of the field: tickets, assignments, engineers, tiers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NewType, Self, TypeVar, dataclass_transform
from uuid import UUID

T = TypeVar("T")

TicketId = NewType("TicketId", str)
"""A KSUID, a UUID or TICKET-2024-0001: text, never cast."""
AssignmentId = NewType("AssignmentId", UUID)
EngineerId = NewType("EngineerId", UUID)
EquipmentId = NewType("EquipmentId", str)

TIER_NAMES = {1: "OEM", 2: "Dealer", 3: "Distributor", 4: "Service provider", 5: "Hospital"}
"""Whose people are asked, in the order of escalation. Not the engineer's level, which is skill."""
TOP_TIER = max(TIER_NAMES)


@dataclass_transform(frozen_default=True)
def row(cls: type[T]) -> type[T]:
    """A dataclass that is frozen for the type checker only: to make one takes a tenth of the time.

    An answer may be made of a thousand of them.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)


class TicketStatus(StrEnum):
    NEW = "new"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    ON_HOLD = "on_hold"
    RESOLVED = "resolved"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class TicketPriority(StrEnum):
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class AssignmentStatus(StrEnum):
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    REJECTED = "rejected"
    ESCALATED = "escalated"
    CANCELLED = "cancelled"


class CompletionStatus(StrEnum):
    SUCCESS = "success"
    FAILED = "failed"
    ESCALATED = "escalated"
    PARTS_REQUIRED = "parts_required"
    CUSTOMER_UNAVAILABLE = "customer_unavailable"


class AssignmentType(StrEnum):
    AUTO = "auto"
    MANUAL = "manual"
    ESCALATION = "escalation"
    REASSIGNMENT = "reassignment"


class Role(StrEnum):
    ADMIN = "admin"
    DISPATCHER = "dispatcher"
    ENGINEER = "engineer"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, as the token says; never as the input says."""

    subject: str
    role: Role
    engineer_id: EngineerId | None = None


@dataclass(frozen=True, slots=True)
class AuditContext:
    """By which request and which token a change came, for who looks into it later."""

    request_id: str | None = None
    token_id: str | None = None


NO_AUDIT_CONTEXT = AuditContext()


@row
class Engineer:
    id: EngineerId
    name: str
    email: str | None
    level: int
    region: str | None
    skills: tuple[str, ...]
    is_active: bool


@row
class Equipment:
    id: EquipmentId
    name: str
    serial_number: str | None
    manufacturer: str | None
    model: str | None
    category: str | None


@row
class Ticket:
    id: TicketId
    ticket_number: str
    status: TicketStatus
    priority: TicketPriority
    customer_name: str | None
    issue_category: str | None
    issue_description: str | None
    equipment_id: EquipmentId | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None


@row
class PartUsed:
    part_number: str
    part_name: str
    quantity: int
    cost: Decimal

    @classmethod
    def from_json(cls, part: dict[str, Any]) -> Self:
        """Rows older than this schema may lack any of the four."""
        return cls(
            part_number=str(part.get("part_number") or ""),
            part_name=str(part.get("part_name") or ""),
            quantity=int(part.get("quantity") or 0),
            cost=Decimal(str(part.get("cost") or 0)),
        )


@row
class Assignment:
    """One engineer's turn on a ticket. `completed_at` is also when it was escalated or cancelled."""

    id: AssignmentId
    ticket_id: TicketId
    engineer_id: EngineerId
    equipment_id: EquipmentId | None
    assignment_sequence: int
    assignment_tier: int
    assignment_tier_name: str
    assignment_reason: str | None
    assignment_type: AssignmentType
    status: AssignmentStatus
    assigned_by: str | None
    assigned_at: datetime
    accepted_at: datetime | None
    rejected_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    rejection_reason: str | None
    escalation_reason: str | None
    cancellation_reason: str | None
    completion_status: CompletionStatus | None
    time_spent_hours: Decimal | None
    diagnosis: str | None
    actions_taken: str | None
    parts_used: tuple[PartUsed, ...]
    notes: str | None
    customer_rating: int | None
    customer_feedback: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class HourlyRate:
    """What an hour of an engineer costs from `valid_from` on; of two for one moment, the later `id` holds."""

    id: int
    engineer_id: EngineerId
    hourly_rate: Decimal
    valid_from: datetime
    set_by: str
    set_at: datetime


@dataclass(frozen=True, slots=True)
class AssignmentEvent:
    """What happened to one assignment, which is as it was right after.

    `ticket_engineers` are all whom the ticket was given to by the time that the event was read.
    """

    id: int
    type: str
    actor: str
    occurred_at: datetime
    ticket_engineers: tuple[EngineerId, ...]
    assignment: Assignment
