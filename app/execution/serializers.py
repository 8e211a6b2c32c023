"""How leaves become JSON, a whole column at once where all values are of one class that needs no questions.

What is not in these tables is asked of the leaf's type, value by value.
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
"""Of a column of values of one class. Raises NotAlike where they must be looked at one by one."""

_LEAST_INT, _LARGEST_INT = -(2**31), 2**31 - 1
_zone = attrgetter("tzinfo")
_UTC = {UTC}


class MixedTypes(Exception):
    """The values of the column cannot be told together."""


def serializer_for(leaf: GraphQLLeafType, kind: type, *, native: bool) -> ColumnSerializer | None:
    """For values of the class `kind`; None where the type itself must be asked.

    What is `native` leaves moments as they are for orjson, which writes them as Strawberry does.
    """
    definition = (leaf.extensions or {}).get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if isinstance(leaf, CustomGraphQLEnumType):
        return _by_member(leaf) if kind is leaf.wrapped_cls else None
    if leaf is GraphQLID and issubclass(kind, UUID):
        return _texts
    if definition is base_scalars.DateTimeDefinition:
        return _moments if native and kind is datetime else None
    if definition is base_scalars.DecimalDefinition:
        return _texts if kind is Decimal else None
    if definition is base_scalars.UUIDDefinition:
        return _texts if issubclass(kind, UUID) else None
    return _OF_LANGUAGE.get((leaf, kind))


def identity(values: Sequence[Any]) -> Sequence[Any]:
    """Nothing is to be done, nor need this be called."""
    return values


def _texts(values: Sequence[Any]) -> Sequence[Any]:
    return list(map(str, values))


def _whole_numbers(values: Sequence[Any]) -> Sequence[Any]:
    if min(values) < _LEAST_INT or max(values) > _LARGEST_INT:
        raise MixedTypes
    return values


def _numbers(values: Sequence[Any]) -> Sequence[Any]:
    if not all(map(isfinite, values)):
        raise MixedTypes
    return values


def _moments(values: Sequence[Any]) -> Sequence[Any]:
    # What PostgreSQL is asked comes back in UTC; of other zones orjson knows not all.
    if set(map(_zone, values)) != _UTC:
        raise MixedTypes
    return values


def _by_member(leaf: CustomGraphQLEnumType) -> ColumnSerializer:
    # Members are told by identity: the hash of an Enum is Python code.
    members = cast("type[Enum]", leaf.wrapped_cls)
    names = {id(member): leaf.coerce_output_value(member) for member in members.__members__.values()}

    def names_of(values: Sequence[Any]) -> Sequence[Any]:
        return list(map(names.__getitem__, map(id, values)))

    return names_of


_OF_LANGUAGE: dict[tuple[GraphQLLeafType, type], ColumnSerializer] = {
    (GraphQLString, str): identity,
    (GraphQLID, str): identity,
    (GraphQLBoolean, bool): identity,
    (GraphQLInt, int): _whole_numbers,
    (GraphQLFloat, float): _numbers,
}
