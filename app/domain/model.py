"""The domain model: tickets, assignments, engineers, equipment and rates."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NewType, Self
from uuid import UUID

from app.domain.declarations import ApiEnum, api_field, row_dataclass

TicketId = NewType("TicketId", str)
"""Text: a KSUID, a UUID, or a number such as TICKET-2024-0001."""
AssignmentId = NewType("AssignmentId", UUID)
EngineerId = NewType("EngineerId", UUID)
EquipmentId = NewType("EquipmentId", str)
NoteId = NewType("NoteId", UUID)

MAX_INT = 2**31 - 1

TIER_NAMES = {1: "OEM", 2: "Dealer", 3: "Distributor", 4: "Service provider", 5: "Hospital"}
"""Support tiers, in the order of escalation: the responsible organisations. An engineer's level is skill."""
TOP_TIER = max(TIER_NAMES)


class TicketStatus(ApiEnum):
    """Status of a ticket. Tickets that are resolved, closed or cancelled cannot be assigned."""

    NEW = "new", "Not assigned; the ticket needs an engineer."
    ASSIGNED = "assigned", "Assigned to an engineer who has not started work."
    IN_PROGRESS = "in_progress", "An engineer is working on the ticket."
    ON_HOLD = "on_hold", "Another visit is necessary; parts or the customer were unavailable."
    RESOLVED = "resolved", "The fault was repaired."
    CLOSED = "closed", "The ticket was closed after its work was done."
    CANCELLED = "cancelled", "The ticket was withdrawn."


class TicketPriority(ApiEnum):
    """Urgency of a ticket."""

    CRITICAL = "critical", "Patients are at risk."
    HIGH = "high", "The equipment is out of service."
    MEDIUM = "medium", "The equipment works with restrictions."
    LOW = "low", "The repair can wait."


class AssignmentStatus(ApiEnum):
    """Status of an assignment. ASSIGNED, ACCEPTED and IN_PROGRESS are active; the others are final."""

    ASSIGNED = "assigned", "The engineer has not responded yet."
    ACCEPTED = "accepted", "The engineer accepted and has not started work."
    IN_PROGRESS = "in_progress", "The engineer is working."
    COMPLETED = "completed", "The work ended with success, or another visit is necessary."
    FAILED = "failed", "The work ended without success."
    REJECTED = "rejected", "The engineer rejected the assignment."
    ESCALATED = "escalated", "The ticket was escalated to a higher tier."
    CANCELLED = "cancelled", "The assignment was cancelled, or the ticket reassigned."


class CompletionStatus(ApiEnum):
    """Outcome of an assignment."""

    SUCCESS = "success", "The fault was repaired; the ticket is resolved."
    FAILED = "failed", "The repair failed; the ticket needs another engineer."
    ESCALATED = "escalated", "Escalated to a higher tier; set only by `escalateTicket`."
    PARTS_REQUIRED = "parts_required", "Parts were missing; the ticket is on hold."
    CUSTOMER_UNAVAILABLE = "customer_unavailable", "The customer was unavailable; the ticket is on hold."


class AssignmentType(ApiEnum):
    """How an assignment was created."""

    AUTO = "auto", "A rule chose the engineer."
    MANUAL = "manual", "A person chose the engineer."
    ESCALATION = "escalation", "The ticket was escalated from a lower tier."
    REASSIGNMENT = "reassignment", "The ticket was reassigned within the tier."


class Role(ApiEnum):
    """Role of a user."""

    ADMIN = "admin", "May read and change everything."
    DISPATCHER = "dispatcher", "May read everything, and change everything except hourly rates."
    ENGINEER = "engineer", "May read, accept, reject, start and complete their own assignments."
    AUDITOR = "auditor", "May read everything and change nothing."


@dataclass(frozen=True, slots=True)
class Actor:
    """The signed-in user."""

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
    """A field engineer."""

    id: EngineerId = api_field("Id of the engineer.")
    name: str = api_field("Name of the engineer.")
    email: str | None = api_field("Email address; null if unknown.")
    level: int = api_field(
        "Skill level, 1 to 3. Not the support tier, which is the responsible organisation."
    )
    region: str | None = api_field("Home region; null if unknown.")
    skills: tuple[str, ...] = api_field("Skills, for example equipment categories, models or manufacturers.")
    is_active: bool = api_field("Whether the engineer can be given new assignments.")


@row_dataclass
class Equipment:
    """A piece of medical equipment."""

    id: EquipmentId = api_field("Id of the equipment.")
    name: str = api_field("Name of the equipment.")
    serial_number: str | None = api_field("The manufacturer's serial number; null if unknown.")
    manufacturer: str | None = api_field("Name of the manufacturer; null if unknown.")
    model: str | None = api_field("Name of the model; null if unknown.")
    category: str | None = api_field("Category, for example MRI; null if unknown.")


@row_dataclass
class Ticket:
    """A service ticket: a fault of a piece of equipment, with all assignments made to repair it."""

    id: TicketId = api_field("Id of the ticket.")
    ticket_number: str = api_field("Human-readable number of the ticket.")
    status: TicketStatus = api_field("Current status.")
    priority: TicketPriority = api_field("Urgency.")
    customer_name: str | None = api_field("Name of the customer who owns the equipment; null if unknown.")
    issue_category: str | None = api_field("Category of the fault; null if unknown.")
    issue_description: str | None = api_field(
        "The customer's description of the fault; null if there is none."
    )
    equipment_id: EquipmentId | None
    created_at: datetime = api_field("When the ticket was reported.")
    updated_at: datetime = api_field("When the ticket was last changed.")
    started_at: datetime | None = api_field("When work on the ticket first started; null if it has not.")
    resolved_at: datetime | None = api_field("When the fault was last resolved; null if it never was.")
    closed_at: datetime | None = api_field("When the ticket was closed; null while it is open.")


@row_dataclass
class TicketDetails:
    """What a ticket has besides the columns of the customer's table."""

    ticket_id: TicketId
    version: int = api_field(
        "Version of the ticket's own fields, from 1. Every change of a field or of the status adds 1. Send it"
        " as `expectedVersion`.",
        default=1,
    )
    contact_name: str | None = api_field(
        "Name of the person to contact on site; null if unknown.", default=None
    )
    contact_phone: str | None = api_field(
        "Telephone number of the contact person; null if unknown.", default=None
    )
    site_address: str | None = api_field("Address where the equipment stands; null if unknown.", default=None)
    hold_reason: str | None = None
    held_by: str | None = None
    held_at: datetime | None = None
    """Set while the ticket is on hold because of a command."""
    hold_until: datetime | None = None
    next_tier: int | None = None
    """The tier that an escalation without a next engineer asked for."""
    waiting_since: datetime | None = api_field(
        "Since when the ticket has needed an engineer; null while one is assigned, and when it is not open.",
        default=None,
    )
    cancelled_at: datetime | None = api_field(
        "When the ticket was cancelled; null if it is not.", default=None
    )
    follow_up_of: TicketId | None = None
    duplicate_of: TicketId | None = None


@row_dataclass
class TicketNote:
    """A note on a ticket. Notes cannot be changed."""

    id: NoteId = api_field("Id of the note.")
    ticket_id: TicketId
    text: str = api_field("Text of the note.")
    for_next_holder: bool = api_field("Whether the note is meant for the next engineer.")
    author: str = api_field("Who wrote it: the subject of their token.")
    author_engineer_id: EngineerId | None
    recorded_at: datetime = api_field("When it was recorded, by the clock of the database.")


@row_dataclass
class PartUsed:
    """A spare part that was installed."""

    part_number: str = api_field("The manufacturer's part number.")
    part_name: str = api_field("Name of the part.")
    quantity: int = api_field("Number of pieces; 0 if unknown.")
    cost: Decimal = api_field("Price of one piece, with two decimals; 0 if unknown.")

    @classmethod
    def from_json(cls, part: dict[str, Any]) -> Self:
        """Read a part of stored JSON. Rows from the old application may lack any of the keys.

        Raises ValueError, TypeError, AttributeError or ArithmeticError for what is no whole number of pieces,
        or no price.
        """
        quantity, cost = part.get("quantity") or 0, Decimal(str(part.get("cost") or 0))
        if type(quantity) is not int:
            text, quantity = str(quantity), int(quantity)
            if quantity != Decimal(text):
                raise ValueError(text)
        if not (-MAX_INT <= quantity <= MAX_INT and cost.is_finite()):
            raise ValueError(part)
        name = str(part.get("part_name") or "")
        return cls(str(part.get("part_number") or ""), name, quantity, cost)

    @classmethod
    def from_unreadable_json(cls, part: object) -> Self:
        """Read what `from_json` may not: each value that it cannot read is unknown."""
        keys: dict[str, Any] = part if isinstance(part, dict) else {}
        result = cls.from_json({key: keys.get(key) for key in ("part_number", "part_name")})
        for key in ("quantity", "cost"):
            with suppress(ValueError, TypeError, ArithmeticError):
                setattr(result, key, getattr(cls.from_json({key: keys.get(key)}), key))
        return result


@row_dataclass
class Assignment:
    """The assignment of a ticket to an engineer: who, why, when, for how long, and the outcome."""

    # Fields without a default are set when the assignment is created; commands set the others later.
    id: AssignmentId = api_field("Id of the assignment.")
    ticket_id: TicketId
    engineer_id: EngineerId
    equipment_id: EquipmentId | None
    assignment_sequence: int = api_field("Position in the ticket's history: 1, 2, 3, … without gaps.")
    assignment_tier: int = api_field("Support tier (the responsible organisation), 1 OEM to 5 Hospital.")
    assignment_tier_name: str = api_field("Name of the support tier.")
    assignment_reason: str | None = api_field("Why the engineer was assigned; null if no reason was given.")
    assignment_type: AssignmentType = api_field("How the assignment was created.")
    status: AssignmentStatus = api_field("Current status.")
    assigned_by: str | None = api_field(
        "Who made the assignment: the subject of their token. Null if unknown."
    )
    assigned_at: datetime = api_field("When the engineer was assigned.")
    # The GraphQL type declares these two, because the schema has them last.
    created_at: datetime
    updated_at: datetime
    accepted_at: datetime | None = api_field(
        "When the engineer accepted; null if not accepted, or unknown.", default=None
    )
    rejected_at: datetime | None = api_field(
        "When the engineer rejected the assignment; null if they did not.", default=None
    )
    started_at: datetime | None = api_field(
        "When the engineer started work; null if they have not.", default=None
    )
    completed_at: datetime | None = api_field(
        "When the assignment was completed, failed, was escalated or was cancelled; null while it is active,"
        " and if it was rejected.",
        default=None,
    )
    rejection_reason: str | None = api_field(
        "Why the engineer rejected the assignment; null if they did not.", default=None
    )
    escalation_reason: str | None = api_field(
        "Why the ticket was escalated; null if it was not.", default=None
    )
    cancellation_reason: str | None = api_field(
        "Why it was cancelled or reassigned; null if it was not.", default=None
    )
    completion_status: CompletionStatus | None = api_field(
        "Outcome of the work; null while there is none.", default=None
    )
    time_spent_hours: Decimal | None = api_field(
        "Hours worked, 0 to 999.99, two decimals; null if not reported.", default=None
    )
    diagnosis: str | None = api_field(
        "Cause of the fault that the engineer found; null if not reported.", default=None
    )
    actions_taken: str | None = api_field("Work that the engineer did; null if not reported.", default=None)
    parts_used: tuple[PartUsed, ...] = api_field("Parts that were installed.", default=())
    notes: str | None = api_field("Other notes of the engineer; null if there are none.", default=None)
    customer_rating: int | None = api_field(
        "The customer's rating, 1 (worst) to 5 (best); null if not rated.", default=None
    )
    customer_feedback: str | None = api_field("The customer's comment; null if there is none.", default=None)


@row_dataclass
class HourlyRate:
    """Hourly rate of an engineer, valid from a time until the next rate's."""

    id: int  # for equal `valid_from`, the highest applies
    engineer_id: EngineerId
    hourly_rate: Decimal = api_field("Price of one hour, with two decimals.")
    valid_from: datetime = api_field("Start of validity; applies to assignments that ended then or later.")
    set_by: str = api_field("Who set the rate: the subject of their token.")
    set_at: datetime = api_field("When the rate was set. With equal `validFrom`, the later one applies.")
