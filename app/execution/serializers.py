"""Serializes leaves: a whole column at once where all values have one class and cannot fail.

Types and classes that are not covered here are serialized by the leaf type, value by value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from uuid import UUID

from graphql import (
    GRAPHQL_MAX_INT,
    GRAPHQL_MIN_INT,
    GraphQLBoolean,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLString,
)
from strawberry.schema.schema_converter import CustomGraphQLEnumType, GraphQLCoreConverter
from strawberry.schema.types import base_scalars

if TYPE_CHECKING:
    from enum import Enum

    from graphql import GraphQLLeafType

ColumnSerializer: TypeAlias = Callable[[Sequence[Any]], Sequence[Any]]
"""Serializes values of one class. Raises MixedTypes when they must be serialized one by one."""

_zone = attrgetter("tzinfo")
_UTC = {UTC}


class MixedTypes(Exception):
    """The column cannot be serialized as a whole."""


def serializer_for(leaf: GraphQLLeafType, class_: type, *, native: bool) -> ColumnSerializer | None:
    """Return the serializer for values of the class; None if only the leaf type can serialize them.

    With `native`, datetimes stay as they are: orjson writes them as Strawberry does.
    """
    definition = (leaf.extensions or {}).get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if isinstance(leaf, CustomGraphQLEnumType):
        return _enum_names(leaf) if class_ is leaf.wrapped_cls else None
    if issubclass(class_, UUID) and (leaf is GraphQLID or definition is base_scalars.UUIDDefinition):
        return _texts
    if class_ is Decimal and definition is base_scalars.DecimalDefinition:
        return _texts
    if class_ is datetime and definition is base_scalars.DateTimeDefinition and native:
        return _utc_datetimes
    return _BUILT_IN.get((leaf, class_))


def text_serializer_for(leaf: GraphQLLeafType, class_: type) -> ColumnSerializer | None:
    """Return the serializer for texts of values of the class, as PostgreSQL and `isoformat` write them.

    None if the leaf type may write such a value in another way.
    """
    definition = (leaf.extensions or {}).get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if isinstance(leaf, CustomGraphQLEnumType):
        return _enum_names_by_value(leaf) if class_ is leaf.wrapped_cls else None
    is_id = class_ is UUID and leaf is GraphQLID
    return identity if is_id or (class_, definition) in _TEXT_SCALARS else None


def identity(values: Sequence[Any]) -> Sequence[Any]:
    """Return the values. Callers compare with this function and skip the call."""
    return values


def _texts(values: Sequence[Any]) -> Sequence[Any]:
    return list(map(str, values))


def _ints(values: Sequence[Any]) -> Sequence[Any]:
    if min(values) < GRAPHQL_MIN_INT or max(values) > GRAPHQL_MAX_INT:
        raise MixedTypes
    return values


def _floats(values: Sequence[Any]) -> Sequence[Any]:
    if not all(map(isfinite, values)):
        raise MixedTypes
    return values


def _utc_datetimes(values: Sequence[Any]) -> Sequence[Any]:
    # PostgreSQL returns UTC; orjson does not support every other time zone.
    if set(map(_zone, values)) != _UTC:
        raise MixedTypes
    return values


def _enum_names(leaf: CustomGraphQLEnumType) -> ColumnSerializer:
    # Look members up by identity: the hash of an Enum is computed in Python.
    names = _names_by(leaf, id)
    return lambda values: list(map(names.__getitem__, map(id, values)))


def _enum_names_by_value(leaf: CustomGraphQLEnumType) -> ColumnSerializer:
    names = _names_by(leaf, attrgetter("value")) | {None: None}
    return lambda values: list(map(names.__getitem__, values))


def _names_by(leaf: CustomGraphQLEnumType, key: Callable[[Enum], Any]) -> dict[Any, str]:
    members = cast("type[Enum]", leaf.wrapped_cls).__members__.values()
    return {key(member): leaf.coerce_output_value(member) for member in members}


_TEXT_SCALARS = (
    (UUID, base_scalars.UUIDDefinition),
    (Decimal, base_scalars.DecimalDefinition),
    (datetime, base_scalars.DateTimeDefinition),
)
_BUILT_IN: dict[tuple[GraphQLLeafType, type], ColumnSerializer] = {
    (GraphQLString, str): identity,
    (GraphQLID, str): identity,
    (GraphQLBoolean, bool): identity,
    (GraphQLInt, int): _ints,
    (GraphQLFloat, float): _floats,
}
