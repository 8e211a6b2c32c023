"""How the domain declares what the API exposes: fields and enum values with their descriptions."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field
from enum import StrEnum
from typing import Any, Self, TypeVar, dataclass_transform

T = TypeVar("T")


def api_field(description: str, *, default: Any = MISSING, **metadata: object) -> Any:  # noqa: ANN401 - takes the type of its annotation
    """Declare a field of a dataclass that the API exposes under the same name, with its description."""
    return field(default=default, metadata={"description": description, **metadata})


@dataclass_transform(frozen_default=True, field_specifiers=(api_field,))
def row_dataclass(cls: type[T]) -> type[T]:
    """Make a dataclass for database rows, and for values that are computed from them.

    The fields of a row are in the order of the columns of the SELECT list. The API exposes those that are
    declared by `api_field`, and describes the type by the docstring. Only the type checker knows that the
    class is frozen: creating a frozen dataclass takes ten times as long, and a response may need a thousand.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)


class ApiEnum(StrEnum):
    """The base of the enums of the API: each member is declared as its value and its description."""

    description: str

    def __new__(cls, value: str, description: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member
