"""The interface TicketEvent and its types: what happened to a ticket and its assignments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import strawberry
from strawberry import ID, Parent

from app.domain import model
from app.domain.declarations import api_field
from app.domain.events import ASSIGNMENT_EVENTS, EventSource, EventType, TicketEvent, TicketField
from app.events import FeedItem
from app.execution.completion import InstanceCheck
from app.graphql.context import Context
from app.graphql.types.batch_resolvers import BatchResult, gather_results, load_each, load_tickets
from app.graphql.types.declarations import batched_field, field, graphql_type, resolver_field, type_for


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A change of one field of a ticket. Values are text as the API shows them."""

    field: TicketField = api_field("Which field changed.")
    before: str | None = api_field("Value before; null if it was empty.")
    after: str | None = api_field("Value after; null if it is empty now.")


def _as_shown(name: TicketField, value: object) -> str | None:
    if value is None:
        return None
    return str(value).upper() if name in (TicketField.STATUS, TicketField.PRIORITY) else str(value)


def _field_changes(event: TicketEvent) -> list[FieldChange]:
    changes = event.changes or {}
    return [
        FieldChange(name, _as_shown(name, before), _as_shown(name, after))
        for name in TicketField
        if name in changes
        for before, after in [changes[name]]
    ]


def _source(event: TicketEvent) -> EventSource:
    """Events from before sources were recorded come from people and rules."""
    is_rule = event.actor.startswith("system:")
    return event.source or (EventSource.RULE if is_rule else EventSource.PERSON)


@strawberry.interface(
    name="TicketEvent",
    description="Something that happened to a ticket or one of its assignments. Events never change. New"
    " types may be added.",
)
class TicketEventInterface:
    id: ID = field("Id of the event. Later events of a ticket have higher ids.")
    type: EventType = field("What happened, for programs.")
    ticket_id: ID = field("Id of the ticket.")
    actor: str = field("Who caused it: the subject of a token, or the name of a rule or a database role.")
    recorded_at: datetime = field("When it was recorded, by the clock of the database.")
    ticket_version: int | None = field(
        "Version of the ticket after the event; null for events from before versions existed."
    )

    @resolver_field("Where it came from.")
    def source(root: Parent[TicketEvent]) -> EventSource:
        return _source(root)

    @resolver_field("Fields of the ticket that the event changed; empty if none, and for old events.")
    def changes(root: Parent[TicketEvent]) -> list[FieldChange]:
        return _field_changes(root)

    @batched_field(model.Ticket | None, "The ticket as it is now; null if another application deleted it.")
    def ticket(events: Sequence[TicketEvent], context: Context) -> BatchResult:
        return load_tickets(events, context)

    @classmethod
    def resolve_type(cls, event: TicketEvent, *_: object) -> str:
        return _NAMES[event.type]


def _load_assignments(events: Sequence[TicketEvent], context: Context) -> BatchResult:
    ids = (None if event.assignment is None else event.assignment.id for event in events)
    return load_each(context.loaders.assignment, ids)


async def _load_next_assignments(events: Sequence[TicketEvent], context: Context) -> list[Any]:
    """The assignment that the same change opened: the next in sequence."""
    histories = await gather_results(
        load_each(context.loaders.assignment_history, (event.ticket_id for event in events))
    )
    return [
        history if isinstance(history, Exception) else _next_of(event, history)
        for event, history in zip(events, histories, strict=True)
    ]


def _next_of(event: TicketEvent, history: Sequence[model.Assignment]) -> model.Assignment | None:
    if event.assignment is None or (event.details or {}).get("next_engineer") is False:
        return None
    sequence = event.assignment.assignment_sequence + 1
    return next((a for a in history if a.assignment_sequence == sequence), None)


@strawberry.interface(name="AssignmentChange", description="An event of one assignment.")
class AssignmentChange(TicketEventInterface):
    assignment = batched_field(model.Assignment, "The assignment as it is now.")(_load_assignments)


def _of_details(name: str, hint: Any, description: str) -> Any:  # noqa: ANN401 - a Strawberry field
    """Declare a field with a value of the event's details."""

    def resolve(event: TicketEvent) -> object:
        value = (event.details or {}).get(name)
        return None if value is None else _CONVERTERS.get(hint, lambda v: v)(value)

    return _resolved(resolve, hint, description)


def _of_assignment(name: str, hint: Any, description: str) -> Any:  # noqa: ANN401 - as above
    """Declare a field with a value of the assignment right after the event."""
    return _resolved(lambda event: getattr(event.assignment, name), hint, description)


def _resolved(
    resolve: Callable[[TicketEvent], object],
    hint: Any,  # noqa: ANN401 - hints have no common type
    description: str,
) -> Any:  # noqa: ANN401 - as above
    def resolver(root):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - annotated below
        return resolve(root)

    resolver.__annotations__ = {"root": Parent[TicketEvent], "return": hint}
    return strawberry.field(resolver=resolver, description=description, graphql_type=graphql_type(hint))


_CONVERTERS: dict[Any, Callable[[Any], Any]] = {
    Decimal | None: lambda value: Decimal(str(value)),
    datetime | None: datetime.fromisoformat,
    model.TicketStatus | None: model.TicketStatus,
}


async def _load_originals(events: Sequence[TicketEvent], context: Context) -> list[Any]:
    ids = ((event.details or {}).get("duplicate_of") for event in events)
    return await gather_results(load_each(context.loaders.ticket, ids))


def _note_of(event: TicketEvent) -> model.TicketNote:
    details = event.details or {}
    return model.TicketNote(
        model.NoteId(UUID(details["note_id"])),
        event.ticket_id,
        details["text"],
        details["for_next_holder"],
        event.actor,
        None,
        event.recorded_at,
    )


_REASON = _of_details("reason", str | None, "Why; null if no reason was given.")
_STATUS_BEFORE = _of_details("status_before", model.TicketStatus | None, "Status before; null if unknown.")
_HOURS = _of_assignment("time_spent_hours", Decimal | None, "Hours reported; null if none were.")
_NEXT = batched_field(model.Assignment | None, "The assignment that the same change opened; null if none.")(
    _load_next_assignments
)

_EVENTS: dict[EventType, tuple[str, dict[str, Any]]] = {
    EventType.TICKET_CREATED: ("TicketCreated", {}),
    EventType.TICKET_UPDATED: ("TicketUpdated", {}),
    EventType.TICKET_HELD: (
        "TicketHeld",
        {
            "reason": _REASON,
            "until": _of_details("until", datetime | None, "When it resumes by itself; null if it does not."),
        },
    ),
    EventType.TICKET_RESUMED: (
        "TicketResumed",
        {
            "reason": _REASON,
            "status": _of_details("status", model.TicketStatus | None, "Status afterwards; null if unknown."),
        },
    ),
    EventType.TICKET_RESOLVED: ("TicketResolved", {"status_before": _STATUS_BEFORE}),
    EventType.TICKET_CLOSED: ("TicketClosed", {"reason": _REASON}),
    EventType.TICKET_REOPENED: ("TicketReopened", {"reason": _REASON, "status_before": _STATUS_BEFORE}),
    EventType.TICKET_CANCELLED: (
        "TicketCancelled",
        {
            "reason": _REASON,
            "duplicate_of": batched_field(
                model.Ticket | None, "The ticket that it duplicates; null if none, or you may not see it."
            )(_load_originals),
        },
    ),
    EventType.TICKET_DELETED: (
        "TicketDeleted",
        {"ticket_number": _of_details("ticket_number", str | None, "The number that the ticket had.")},
    ),
    EventType.NOTE_ADDED: (
        "NoteAdded",
        {"note": _resolved(_note_of, model.TicketNote, "The note that was added.")},
    ),
    EventType.ASSIGNED: (
        "TicketAssigned",
        {"reason": _of_assignment("assignment_reason", str | None, "Why this engineer; null if unknown.")},
    ),
    EventType.ACCEPTED: ("AssignmentAccepted", {}),
    EventType.STARTED: ("WorkStarted", {}),
    EventType.REJECTED: (
        "AssignmentRejected",
        {"reason": _of_assignment("rejection_reason", str | None, "Why; null if unknown.")},
    ),
    EventType.COMPLETED: (
        "AssignmentCompleted",
        {
            "outcome": _of_assignment(
                "completion_status", model.CompletionStatus | None, "Outcome of the work; null if unknown."
            )
        },
    ),
    EventType.FAILED: ("AssignmentFailed", {}),
    EventType.ESCALATED: (
        "TicketEscalated",
        {
            "reason": _of_assignment("escalation_reason", str | None, "Why; null if unknown."),
            "next_tier": _of_details("next_tier", int | None, "Tier asked next; null in old events."),
            "next_assignment": _NEXT,
        },
    ),
    EventType.REASSIGNED: (
        "TicketReassigned",
        {
            "reason": _of_assignment("cancellation_reason", str | None, "Why; null if unknown."),
            "next_assignment": _NEXT,
        },
    ),
    EventType.CANCELLED: (
        "AssignmentCancelled",
        {"reason": _of_assignment("cancellation_reason", str | None, "Why; null if unknown.")},
    ),
    EventType.RATED: (
        "AssignmentRated",
        {
            "before": _of_details("rating_before", int | None, "Rating before; null if there was none."),
            "after": _of_assignment("customer_rating", int | None, "Rating, 1 (worst) to 5 (best)."),
            "feedback": _of_assignment(
                "customer_feedback", str | None, "The customer's comment; null if there is none."
            ),
        },
    ),
    EventType.HOURS_CORRECTED: (
        "HoursCorrected",
        {
            "before": _of_details(
                "time_spent_hours_before", Decimal | None, "Hours before; null if unknown."
            ),
            "after": _of_assignment("time_spent_hours", Decimal | None, "Corrected hours."),
            "reason": _REASON,
        },
    ),
    EventType.OVERDUE: ("AssignmentOverdue", {"reason": _REASON}),
}
_WITH_HOURS = (
    EventType.REJECTED,
    EventType.COMPLETED,
    EventType.FAILED,
    EventType.ESCALATED,
    EventType.REASSIGNED,
    EventType.CANCELLED,
)
_NAMES = {type_: name for type_, (name, _) in _EVENTS.items()}


def _make_type(type_: EventType, name: str, fields: dict[str, Any]) -> type:
    interface = AssignmentChange if type_ in ASSIGNMENT_EVENTS else TicketEventInterface
    if type_ in _WITH_HOURS:
        fields = {**fields, "time_spent_hours": _HOURS}
    cls = type(name, (interface,), {"__annotations__": {}, **fields})
    # The type is already known: the interface has chosen it.
    cls.is_type_of = staticmethod(InstanceCheck(TicketEvent))  # type: ignore[attr-defined]
    return strawberry.type(cls, description=type_.description)


EVENT_TYPES = [_make_type(type_, name, fields) for type_, (name, fields) in _EVENTS.items()]
"""The types of the interface, which no field names."""


@type_for(FeedItem, "A committed event, and the position in the stream after it.")
class TicketEventUpdate:
    cursor: str = field("Opaque position in the stream; resume after it with `afterCursor`.")
    event: TicketEventInterface = field("What happened.")
