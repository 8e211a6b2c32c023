"""The enums of the domain as GraphQL enums, with their descriptions."""

from __future__ import annotations

import strawberry

from app.domain import errors, lifecycle, model
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
    statistics.Unit,
)


def describe_enums() -> None:
    """Make each a GraphQL enum with descriptions. Must run before a GraphQL type uses one of them."""
    for enum in _ENUMS:
        definition = strawberry.enum(enum, description=enum.__doc__).__strawberry_definition__  # type: ignore[attr-defined]
        for value in definition.values:
            value.description = enum[value.name].description
