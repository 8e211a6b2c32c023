"""The domain model: tickets, assignments, engineers, equipment, rates and events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NewType, Self, TypeVar, dataclass_transform
from uuid import UUID

T = TypeVar("T")

TicketId = NewType("TicketId", str)
"""Text: a KSUID, a UUID, or a number such as TICKET-2024-0001."""
AssignmentId = NewType("AssignmentId", UUID)
EngineerId = NewType("EngineerId", UUID)
EquipmentId = NewType("EquipmentId", str)

TIER_NAMES = {1: "OEM", 2: "Dealer", 3: "Distributor", 4: "Service provider", 5: "Hospital"}
"""Support tiers, in the order of escalation: the responsible organisations. An engineer's level is skill."""
TOP_TIER = max(TIER_NAMES)


@dataclass_transform(frozen_default=True)
def row_dataclass(cls: type[T]) -> type[T]:
    """Make a dataclass for database rows, with fields in the order of the columns of the SELECT list.

    Only the type checker knows that it is frozen: creating a frozen dataclass takes ten times as long, and a
    response may need a thousand rows.
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
    """The authenticated user, from the access token."""

    subject: str
    role: Role
    engineer_id: EngineerId | None = None


@dataclass(frozen=True, slots=True)
class AuditContext:
    """The request and the token that a change is recorded with."""

    request_id: str | None = None
    token_id: str | None = None


NO_AUDIT_CONTEXT = AuditContext()


@row_dataclass
class Engineer:
    id: EngineerId
    name: str
    email: str | None
    level: int
    region: str | None
    skills: tuple[str, ...]
    is_active: bool


@row_dataclass
class Equipment:
    id: EquipmentId
    name: str
    serial_number: str | None
    manufacturer: str | None
    model: str | None
    category: str | None


@row_dataclass
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


@row_dataclass
class PartUsed:
    part_number: str
    part_name: str
    quantity: int
    cost: Decimal

    @classmethod
    def from_json(cls, part: dict[str, Any]) -> Self:
        """Read a part of stored JSON. Rows from the old application may lack any of the keys."""
        return cls(
            part_number=str(part.get("part_number") or ""),
            part_name=str(part.get("part_name") or ""),
            quantity=int(part.get("quantity") or 0),
            cost=Decimal(str(part.get("cost") or 0)),
        )


@row_dataclass
class Assignment:
    """The assignment of an engineer to a ticket. `completed_at` is also set by escalation and cancellation.

    The fields without a default are set when the assignment is created; commands set the others later.
    """

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
    created_at: datetime
    updated_at: datetime
    accepted_at: datetime | None = None
    rejected_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    rejection_reason: str | None = None
    escalation_reason: str | None = None
    cancellation_reason: str | None = None
    completion_status: CompletionStatus | None = None
    time_spent_hours: Decimal | None = None
    diagnosis: str | None = None
    actions_taken: str | None = None
    parts_used: tuple[PartUsed, ...] = ()
    notes: str | None = None
    customer_rating: int | None = None
    customer_feedback: str | None = None


@dataclass(frozen=True, slots=True)
class HourlyRate:
    """The cost of an engineer's hour from `valid_from` on. For equal `valid_from`, the highest id applies."""

    id: int
    engineer_id: EngineerId
    hourly_rate: Decimal
    valid_from: datetime
    set_by: str
    set_at: datetime


@dataclass(frozen=True, slots=True)
class AssignmentEvent:
    """An event, with the assignment as it was right after it.

    `ticket_engineers` are the engineers of all assignments of the ticket when the event was read.
    """

    id: int
    type: str
    actor: str
    occurred_at: datetime
    ticket_engineers: tuple[EngineerId, ...]
    assignment: Assignment
