"""The GraphQL types of domain annotations, for the types that are made from commands and refusals."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import strawberry

from app.domain import model
from app.graphql.types.assignment import Assignment, PartUsedInput

_TYPES = {
    model.TicketId: strawberry.ID,
    model.EngineerId: strawberry.ID,
    model.AssignmentId: strawberry.ID,
    model.Assignment: Assignment,
    model.PartUsed: PartUsedInput,
}


def graphql_type(hint: Any) -> Any:  # noqa: ANN401 - hints have no common type
    """Map a domain annotation to a GraphQL type. A tuple becomes a list; enums and plain types stay."""
    if get_origin(hint) in (UnionType, Union):
        (inner,) = (arg for arg in get_args(hint) if arg is not NoneType)
        return graphql_type(inner) | None
    if get_origin(hint) is tuple:
        return list[graphql_type(get_args(hint)[0])]  # type: ignore[misc] # made at run time
    return _TYPES.get(hint, hint)
