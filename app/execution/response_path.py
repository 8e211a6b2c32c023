"""Where in the answer a value stands. Most values need no place: it is made when something asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from graphql.pyutils import Path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.execution.plan import Field

LazyPath: TypeAlias = "tuple[LazyPath, Field | int] | None"
"""The place of the object or list around it, and the field or index in there; None is the root."""


class LazyPaths:
    """Of the values of a column, in their order."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Sequence[LazyPath]]) -> None:
        self._make = make
        self._made: Sequence[LazyPath] | None = None

    def __getitem__(self, index: int) -> LazyPath:
        return self.all()[index]

    def all(self) -> Sequence[LazyPath]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def for_field(self, field: Field) -> LazyPaths:
        return LazyPaths(lambda: [(path, field) for path in self.all()])

    def for_items(self, sizes: Sequence[int | None]) -> LazyPaths:
        """Of the items of lists, one list after the other; None is no list."""
        return LazyPaths(
            lambda: [
                (path, index)
                for path, size in zip(self.all(), sizes, strict=True)
                for index in range(size or 0)
            ]
        )

    def for_indices(self, indices: Sequence[int]) -> LazyPaths:
        return LazyPaths(lambda: [self[index] for index in indices])


def steps_of(path: LazyPath) -> list[Field | int]:
    """From the root to the place."""
    steps = []
    while path is not None:
        path, step = path
        steps.append(step)
    return steps[::-1]


def field_of(path: LazyPath) -> Field:
    """The field that the value belongs to, also within lists."""
    field = next(step for step in reversed(steps_of(path)) if not isinstance(step, int))
    assert not isinstance(field, int)  # noqa: S101 - for mypy
    return field


def to_core_path(path: LazyPath) -> Path | None:
    """Convert to graphql-core's Path."""
    core_path = None
    for step in steps_of(path):
        name, type_name = (step, None) if isinstance(step, int) else (step.key, step.parent.name)
        core_path = Path(core_path, name, type_name)
    return core_path
