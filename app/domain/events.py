"""The events of a ticket and of its assignments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.domain.declarations import ApiEnum
from app.domain.model import Assignment, EngineerId, TicketId


class EventType(ApiEnum):
    """Type of an event of a ticket."""

    TICKET_CREATED = "ticket_created", "A ticket was created."
    TICKET_UPDATED = "ticket_updated", "Fields of a ticket changed."
    TICKET_HELD = "ticket_held", "A ticket was put on hold."
    TICKET_RESUMED = "ticket_resumed", "A ticket on hold was resumed."
    TICKET_RESOLVED = "ticket_resolved", "Another application resolved a ticket. Completed work is COMPLETED."
    TICKET_CLOSED = "ticket_closed", "A ticket was closed."
    TICKET_REOPENED = "ticket_reopened", "A ticket was reopened."
    TICKET_CANCELLED = "ticket_cancelled", "A ticket was cancelled."
    TICKET_DELETED = "ticket_deleted", "Another application deleted a ticket."
    NOTE_ADDED = "note_added", "A note was added."
    ASSIGNED = "assigned", "A ticket was assigned to an engineer."
    ACCEPTED = "accepted", "The engineer accepted the assignment."
    REJECTED = "rejected", "The engineer rejected the assignment."
    STARTED = "started", "The engineer started work."
    COMPLETED = "completed", "The work ended with success, or another visit is necessary."
    FAILED = "failed", "The work ended without success."
    ESCALATED = "escalated", "A ticket was escalated; its assignment ended."
    REASSIGNED = "reassigned", "A ticket was reassigned; its assignment ended."
    CANCELLED = "cancelled", "An assignment was cancelled."
    RATED = "rated", "The customer rated the work."
    HOURS_CORRECTED = "hours_corrected", "The hours of an ended assignment were corrected."
    OVERDUE = "overdue", "Nobody accepted in time, and nobody was available at a higher tier."


ASSIGNMENT_EVENTS = tuple(
    type_ for type_ in EventType if not type_.startswith("ticket_") and type_ is not EventType.NOTE_ADDED
)
"""The types of events that have an assignment."""


class TimelineOrder(ApiEnum):
    """Order of a timeline."""

    OLDEST_FIRST = "oldest_first", "The first event comes first."
    NEWEST_FIRST = "newest_first", "The latest event comes first."


class EventSource(ApiEnum):
    """Where a change came from."""

    PERSON = "person", "A person, or a client with a token."
    RULE = "rule", "A rule of this application."
    IMPORT = "import", "An import of a file."
    OTHER_APPLICATION = "other_application", "SQL of another application."


class TicketField(ApiEnum):
    """A field of a ticket that events record."""

    TICKET_NUMBER = "ticket_number", "Human-readable number."
    STATUS = "status", "Status of the ticket."
    PRIORITY = "priority", "Urgency."
    CUSTOMER_NAME = "customer_name", "Name of the customer."
    ISSUE_CATEGORY = "issue_category", "Category of the fault."
    ISSUE_DESCRIPTION = "issue_description", "Description of the fault."
    EQUIPMENT_ID = "equipment_id", "The faulty equipment."
    CONTACT_NAME = "contact_name", "Person to contact on site."
    CONTACT_PHONE = "contact_phone", "Telephone number of the contact person."
    SITE_ADDRESS = "site_address", "Address where the equipment stands."
    STARTED_AT = "started_at", "When work first started."
    RESOLVED_AT = "resolved_at", "When the fault was last resolved."
    CLOSED_AT = "closed_at", "When the ticket was closed."
    CANCELLED_AT = "cancelled_at", "When the ticket was cancelled."
    HOLD_REASON = "hold_reason", "Why the ticket is on hold."
    HELD_BY = "held_by", "Who put it on hold."
    HELD_AT = "held_at", "Since when it is on hold."
    HOLD_UNTIL = "hold_until", "When it resumes by itself."
    NEXT_TIER = "next_tier", "The tier that an escalation asked for."
    WAITING_SINCE = "waiting_since", "Since when the ticket has needed an engineer."
    FOLLOW_UP_OF = "follow_up_of", "The ticket that this one follows up."
    DUPLICATE_OF = "duplicate_of", "The ticket that this one duplicates."


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """A change of a ticket, or of one of its assignments."""

    id: int
    type: EventType
    ticket_id: TicketId
    actor: str
    source: EventSource | None
    """None in rows from before sources were recorded."""
    recorded_at: datetime
    ticket_version: int | None
    """Of the ticket after the change."""
    changes: dict[str, Any] | None
    """The columns of the ticket that changed, each with its values before and after."""
    details: dict[str, Any] | None
    """What the rows do not contain."""
    ticket_engineers: tuple[EngineerId, ...]
    """The engineers of all assignments of the ticket when the event was read."""
    assignment: Assignment | None
    """The assignment as it was right after the change; None for a change of the ticket."""
