"""Descriptions of the enums of the domain, as GraphQL enums, and of the scalars that Strawberry defines."""

from __future__ import annotations

import strawberry
from strawberry.schema.types.base_scalars import DateDefinition, DateTimeDefinition, DecimalDefinition

from app.domain import errors, events, lifecycle, model
from app.domain.declarations import ApiEnum
from app.queries import statistics

_ENUMS: tuple[type[ApiEnum], ...] = (
    model.TicketStatus,
    model.TicketPriority,
    model.AssignmentStatus,
    model.CompletionStatus,
    model.AssignmentType,
    model.Role,
    lifecycle.Action,
    errors.RefusalCode,
    events.EventType,
    events.EventSource,
    events.TicketField,
    events.TimelineOrder,
    statistics.StatisticsInterval,
    statistics.Unit,
)

_NAMES: dict[type[ApiEnum], str] = {events.EventType: "TicketEventType"}


def describe_enums_and_scalars() -> None:
    """Must run before any GraphQL type is defined, which copies the descriptions."""
    for enum in _ENUMS:
        name = _NAMES.get(enum, enum.__name__)
        definition = strawberry.enum(enum, name=name, description=enum.__doc__).__strawberry_definition__  # type: ignore[attr-defined]
        for value in definition.values:
            value.description = enum[value.name].description
    DateDefinition.description = "Calendar date in ISO 8601, for example 2026-03-01."
    DateTimeDefinition.description = (
        "Date and time in ISO 8601 with the offset from UTC, for example 2026-03-01T12:30:00+00:00."
    )
    DecimalDefinition.description = "Exact decimal number, as a string, for example 19.90."
