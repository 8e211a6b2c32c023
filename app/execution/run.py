"""One execution of a plan: a level of the answer at a time, each field of it for all its objects at once."""

from __future__ import annotations

from collections import deque
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from app.execution.response_path import path_of
from app.execution.waiting import settle

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graphql import GraphQLResolveInfo

    from app.execution.executor import LevelExecutor
    from app.execution.plan import Field, Selection
    from app.execution.response_path import Place, Places


class Group(NamedTuple):
    """Objects of which the same is asked."""

    selection: Selection
    sources: Sequence[Any]
    targets: list[dict[str, Any]]
    """What the answer shows of each; empty until the level is done."""
    places: Places


class Run:
    def __init__(self, executor: LevelExecutor) -> None:
        self.executor = executor
        self.failures: list[tuple[Place, Exception]] = []
        self._below: list[Group] = []

    def next(
        self, selection: Selection, sources: Sequence[Any], targets: list[dict[str, Any]], places: Places
    ) -> None:
        """Ask this of these objects on the next level."""
        self._below.append(Group(selection, sources, targets, places))

    def fail(self, place: Place, error: Exception) -> None:
        self.failures.append((place, error))

    def info(self, field: Field, place: Place) -> GraphQLResolveInfo[Any]:
        """What functions of the schema are told of the field at a place, or around an item of its list."""
        while place is not None and isinstance(place[1], int):
            place = place[0]
        path = path_of(place)
        assert path is not None  # noqa: S101 - a field is never the root
        return self.executor.build_resolve_info(field.definition, field.nodes, field.parent, path)

    async def complete(self) -> None:
        """All levels, one after the other."""
        while self._below:
            groups, self._below = self._below, []
            begun = [self.begin(group) for group in groups]
            waiting = [
                columns[index]
                for group, (_, columns) in zip(groups, begun, strict=True)
                for index in group.selection.waiting
            ]
            if waiting:
                await settle(waiting)
            for group, (leaves, columns) in zip(groups, begun, strict=True):
                await self.fill(group, leaves, columns)

    def begin(self, group: Group) -> tuple[Iterable[Sequence[Any]], list[list[Any]]]:
        """The columns of what is plainly read, and those of the other fields, which may be to be awaited."""
        selection = group.selection
        return (
            selection.leaves_of(self, group),
            [field.source.begin(self, group, field) for _, field in selection.others],
        )

    async def fill(self, group: Group, leaves: Iterable[Sequence[Any]], columns: list[list[Any]]) -> None:
        """Tell what was begun and, where it was to be awaited, has come; what is below is for `complete`."""
        selection = group.selection
        told: list[Sequence[Any]] = [()] * len(selection.keys)
        for (index, field), values in zip(selection.leaves, leaves, strict=True):
            found = field.kind.at_once(self, values, group.places)
            if found is None:
                found = await field.kind.complete(self, values, group.places.of_field(field))
            told[index] = found
        for (index, field), column in zip(selection.others, columns, strict=True):
            values = field.source.end(column, len(group.sources)) if field.source.ends else column
            places = group.places.of_field(field)
            found = field.kind.at_once(self, values, places)
            if found is None:
                found = await field.kind.complete(self, values, places)
            told[index] = found
        # Every field of it may be left out by @skip; then there are no rows.
        rows = map(zip, repeat(selection.keys), zip(*told, strict=True))
        deque(map(dict.update, group.targets, rows), maxlen=0)
