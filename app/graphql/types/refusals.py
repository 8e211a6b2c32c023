"""The GraphQL type of each refusal of the domain, with the refusal's own fields."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import strawberry

from app.domain.errors import DomainError, RefusalCode
from app.graphql.types.declarations import field, with_api_fields


@strawberry.interface(description="A business rule rejected the mutation; nothing changed.")
class Refusal:
    message: str = field("Human-readable explanation with the next step; may change.")
    code: RefusalCode = field("Stable machine-readable reason.")


def _make_type(error: type[DomainError]) -> type:
    cls = with_api_fields(type(error.__name__, (Refusal,), {}), error)
    return strawberry.type(cls, description=error.__doc__)


REFUSAL_TYPES: dict[type[DomainError], type] = {
    error: _make_type(error) for error in DomainError.__subclasses__()
}


def refusal_object(refusal: DomainError) -> Any:  # noqa: ANN401 - one of REFUSAL_TYPES
    """Convert a refusal to its GraphQL object, because graphql-core raises an exception that is returned."""
    own_fields = {f.name: getattr(refusal, f.name) for f in fields(refusal)}
    return REFUSAL_TYPES[type(refusal)](message=refusal.message, code=refusal.code, **own_fields)
