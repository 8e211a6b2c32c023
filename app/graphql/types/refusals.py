"""Each refusal of the domain as a GraphQL type with the refusal's own fields: one member of result unions."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

import strawberry

from app.domain.errors import DomainError, RefusalCode
from app.graphql.types.scalars import graphql_type


@strawberry.interface(description="Why a mutation changed nothing, and what to do next.")
class Refusal:
    message: str = strawberry.field(description="One sentence for people.")
    code: RefusalCode = strawberry.field(description="The same for programs.")


def _type_of(error: type[DomainError]) -> type:
    hints = get_type_hints(error)
    namespace: dict[str, Any] = {"__annotations__": {}}
    for f in fields(error):
        namespace["__annotations__"][f.name] = graphql_type(hints[f.name])
        namespace[f.name] = strawberry.field(description=f.metadata["description"])
    return strawberry.type(type(error.__name__, (Refusal,), namespace), description=error.__doc__)


REFUSAL_TYPES: dict[type[DomainError], type] = {
    error: _type_of(error) for error in DomainError.__subclasses__()
}


def refusal_object(refused: DomainError) -> Any:  # noqa: ANN401 - one of REFUSAL_TYPES
    """The refusal as an object that is no exception: GraphQL would raise one that is returned."""
    given = {f.name: getattr(refused, f.name) for f in fields(refused)}
    return REFUSAL_TYPES[type(refused)](message=refused.message, code=refused.code, **given)
