"""Paths of values in the response. Most values need none: they are created on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from graphql.pyutils import Path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.execution.plan import Field


LazyPath: TypeAlias = "tuple[LazyPath, Field | int] | None"
"""The path of the enclosing object or list, and the field or index in it; None is the root."""


class LazyPaths:
    """The paths of a column of values, created when the first of them is needed."""

    __slots__ = ("_create", "_paths")

    def __init__(self, create: Callable[[], Sequence[LazyPath]]) -> None:
        self._create = create
        self._paths: Sequence[LazyPath] | None = None

    def __getitem__(self, index: int) -> LazyPath:
        return self.all()[index]

    def all(self) -> Sequence[LazyPath]:
        if self._paths is None:
            self._paths = self._create()
        return self._paths

    def for_field(self, field: Field) -> LazyPaths:
        return LazyPaths(lambda: [(path, field) for path in self.all()])

    def for_items(self, sizes: Sequence[int | None]) -> LazyPaths:
        """Return the paths of the items of lists of these sizes, list by list. None stands for no list."""
        return LazyPaths(
            lambda: [
                (path, index)
                for path, size in zip(self.all(), sizes, strict=True)
                for index in range(size or 0)
            ]
        )

    def for_indices(self, indices: Sequence[int]) -> LazyPaths:
        return LazyPaths(lambda: [self[index] for index in indices])


def path_steps(path: LazyPath) -> list[Field | int]:
    """Return the fields and indices from the root to the value."""
    steps = []
    while path is not None:
        path, step = path
        steps.append(step)
    return steps[::-1]


def to_core_path(path: LazyPath) -> Path | None:
    """Convert to graphql-core's Path."""
    core_path = None
    for step in path_steps(path):
        name, type_name = (step, None) if isinstance(step, int) else (step.key, step.parent.name)
        core_path = Path(core_path, name, type_name)
    return core_path
