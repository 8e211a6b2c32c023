"""Declarations of GraphQL types and fields: their types and most descriptions come from the domain."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import strawberry
from strawberry import Parent

from app.domain import model
from app.execution.completion import InstanceCheck
from app.execution.field_resolvers import BATCH_RESOLVER, BatchResolverFn
from app.graphql.context import Info
from app.graphql.pagination import Connection, Page
from app.graphql.types.batch_resolvers import gather_results
from app.queries.engineers import Suggestion

T = TypeVar("T", bound=type)


_TYPES: dict[Any, Any] = {
    **dict.fromkeys(
        (model.TicketId, model.AssignmentId, model.EngineerId, model.EquipmentId, model.NoteId), strawberry.ID
    ),
    # By name until their modules, which refer to each other, declare them.
    **{
        source: Annotated[name, strawberry.lazy(f"app.graphql.types.{module}")]
        for source, module, name in (
            (model.Actor, "engineer", "Viewer"),
            (model.Assignment, "assignment", "Assignment"),
            (model.Engineer, "engineer", "Engineer"),
            (model.Ticket, "ticket", "Ticket"),
            (model.TicketNote, "ticket", "TicketNote"),
            (Suggestion, "engineer", "EngineerSuggestion"),
        )
    },
}


def graphql_type(hint: Any) -> Any:  # noqa: ANN401 - hints have no common type
    """Map an annotation of the domain to a GraphQL type. Enums and plain types stay.

    A dataclass for which `type_for` declares no type gets one with its fields.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (UnionType, Union):
        (inner,) = (arg for arg in arguments if arg is not NoneType)
        return graphql_type(inner) | None
    if origin is Awaitable:
        return graphql_type(arguments[0])
    if origin is Page:
        return Connection[graphql_type(arguments[0])]  # type: ignore[misc] # made at run time
    if origin in (tuple, list, Sequence):
        return list[graphql_type(arguments[0])]  # type: ignore[misc] # as above
    if is_dataclass(hint) and hint not in _TYPES:
        type_for(hint)(type(hint.__name__, (), {}))  # type: ignore[arg-type, union-attr] # a class
    return _TYPES.get(hint, hint)


def type_for(source: type, description: str | None = None) -> Callable[[T], T]:
    """Make the decorated class the GraphQL type of `source` objects.

    The description is by default the docstring of `source`.
    """

    def make(cls: T) -> T:
        cls.is_type_of = staticmethod(InstanceCheck(source))  # type: ignore[attr-defined]
        declared = strawberry.type(with_api_fields(cls, source), description=description or source.__doc__)
        _TYPES[source] = declared
        return declared

    return make


def with_api_fields(cls: T, source: type) -> T:
    """Add the fields that `source` declares by `api_field`, before the own fields of `cls`."""
    if is_dataclass(source):
        hints = get_type_hints(source)
        exposed = [f for f in fields(source) if "description" in f.metadata]
        cls.__annotations__ = {f.name: graphql_type(hints[f.name]) for f in exposed} | cls.__annotations__
        for f in exposed:
            setattr(cls, f.name, field(f.metadata["description"]))
    return cls


def field(description: str) -> Any:  # noqa: ANN401 - takes the type of its annotation
    """Declare a field that is the attribute of that name."""
    return strawberry.field(description=description)


def resolver_field(description: str) -> Callable[[Callable[..., Any]], Any]:
    """Declare a field with a resolver. Its type follows from what the resolver returns."""

    def make(resolver: Callable[..., Any]) -> Any:  # noqa: ANN401 - a Strawberry field
        returned = graphql_type(get_type_hints(resolver)["return"])
        return strawberry.field(resolver=resolver, description=description, graphql_type=returned)

    return make


def batched_field(hint: Any, description: str) -> Callable[[BatchResolverFn], Any]:  # noqa: ANN401 - as above
    """Declare a field of the domain type `hint` with a batch resolver, which resolves it for many objects.

    graphql-core calls it with one object at a time.
    """

    def make(batch_resolver: BatchResolverFn) -> Any:  # noqa: ANN401 - as above
        async def resolve(root: Parent[Any], info: Info) -> Any:  # noqa: ANN401 - as above
            [value] = await gather_results(batch_resolver([root], info.context))
            if isinstance(value, Exception):
                raise value
            return value

        return strawberry.field(
            resolver=resolve,
            description=description,
            graphql_type=graphql_type(hint),
            metadata={BATCH_RESOLVER: batch_resolver},
        )

    return make
