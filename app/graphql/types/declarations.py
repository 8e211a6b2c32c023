"""Declarations of GraphQL types and fields, each with its description."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import strawberry

from app.execution.completion import InstanceCheck

T = TypeVar("T", bound=type)


def type_for(source: type, description: str) -> Callable[[T], T]:
    """Make the decorated class the GraphQL type of `source` objects."""

    def make(cls: T) -> T:
        cls.is_type_of = staticmethod(InstanceCheck(source))  # type: ignore[attr-defined]
        return strawberry.type(cls, description=description)

    return make


def field(description: str, graphql_type: Any = None) -> Any:  # noqa: ANN401 - takes the type of its annotation
    """Declare a field: the attribute of that name, or, as a decorator, what the resolver returns."""
    return strawberry.field(description=description, graphql_type=graphql_type)


def lazy_type(name: str, module: str) -> Any:  # noqa: ANN401 - stands for a type
    """Refer to the type `name` of a sibling module that imports the caller's module."""
    return Annotated[name, strawberry.lazy(f"app.graphql.types.{module}")]
