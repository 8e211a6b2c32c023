"""Descriptions of the scalars that Strawberry defines."""

from __future__ import annotations

from strawberry.schema.types.base_scalars import DateDefinition, DateTimeDefinition, DecimalDefinition


def describe_scalars() -> None:
    DateDefinition.description = "Calendar date in ISO 8601, for example 2026-03-01."
    DateTimeDefinition.description = (
        "Date and time in ISO 8601 with the offset from UTC, for example 2026-03-01T12:30:00+00:00."
    )
    DecimalDefinition.description = "Exact decimal number, as a string, for example 19.90."
