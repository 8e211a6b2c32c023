"""Where in the answer a value stands. Most values need no place: it is made when something asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from graphql.pyutils import Path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.execution.plan import Field

Place: TypeAlias = "tuple[Place, Field | int] | None"
"""The place of the object or list around it, and the field or index in there; None is the root."""


class Places:
    """Of the values of a column, in their order."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Sequence[Place]]) -> None:
        self._make = make
        self._made: Sequence[Place] | None = None

    def __getitem__(self, index: int) -> Place:
        return self.all()[index]

    def all(self) -> Sequence[Place]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def of_field(self, field: Field) -> Places:
        return Places(lambda: [(place, field) for place in self.all()])

    def of_items(self, sizes: Sequence[int | None]) -> Places:
        """Of the items of lists, one list after the other; None is no list."""
        return Places(
            lambda: [
                (place, index)
                for place, size in zip(self.all(), sizes, strict=True)
                for index in range(size or 0)
            ]
        )

    def of_some(self, indices: Sequence[int]) -> Places:
        return Places(lambda: [self[index] for index in indices])


def steps_of(place: Place) -> list[Field | int]:
    """From the root to the place."""
    steps = []
    while place is not None:
        place, step = place
        steps.append(step)
    return steps[::-1]


def field_of(place: Place) -> Field:
    """The field that the value belongs to, also within lists."""
    field = next(step for step in reversed(steps_of(place)) if not isinstance(step, int))
    assert not isinstance(field, int)  # noqa: S101 - for mypy
    return field


def path_of(place: Place) -> Path | None:
    """As graphql-core has it."""
    path = None
    for step in steps_of(place):
        path = Path(path, step, None) if isinstance(step, int) else Path(path, step.key, step.parent.name)
    return path
