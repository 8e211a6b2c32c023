"""Plans of selections, executed layer by layer, and each field for all objects of a layer at once."""

from __future__ import annotations

import asyncio
import dataclasses
import weakref
from abc import ABC, abstractmethod
from collections import deque
from functools import cached_property
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from graphql import GraphQLField, GraphQLObjectType, Undefined
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path

from app.execution.waiting import await_all, in_pieces, is_long, is_missing_type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graphql import Executor, FieldNode, GraphQLResolveInfo

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


class FieldResolver(ABC):
    """Resolves one field for all objects of a layer."""

    can_return_awaitable = True
    is_async = False
    """Whether it starts asynchronous work, which may take its own time."""
    requires_request_context = False
    """Whether it must know the operation and the paths of the objects."""

    @abstractmethod
    def start(self, execution: Execution, layer: Layer, field: Field) -> Sequence[Any]:
        """Return a column of values and awaitables; an exception stands for a value that failed.

        A column with awaitables is a list.
        """


class CombinedColumn(list[Any]):
    """A column with one awaitable, that of the values of all objects."""

    def split(self, size: int) -> list[Any]:
        """Return one value for each of `size` objects, once the awaitable is awaited."""
        (result,) = self
        if isinstance(result, Exception):
            return [result] * size
        values = list(result)
        if len(values) != size:
            return [TypeError(f"A batch resolver returned {len(values)} values for {size} objects.")] * size
        return values


class SerializedColumn(tuple[Any, ...]):
    """A column of a leaf field with serialized values, or nulls."""

    __slots__ = ()


class Completer(ABC):
    """Completes the values of one field for one type: `CompleteValue` of the specification, for a column."""

    def __init__(self, field: Field, *, nullable: bool) -> None:
        # Weak, so that plans are freed without the garbage collector. The plan holds the field.
        self.field = weakref.proxy(field)
        self.nullable = nullable

    @abstractmethod
    def complete_sync(
        self, execution: Execution, values: Sequence[Any], paths: LazyPaths
    ) -> Sequence[Any] | None:
        """Return the completed values, or None if something may have to be awaited or may fail."""

    @abstractmethod
    async def complete(self, execution: Execution, values: Sequence[Any], paths: LazyPaths) -> Sequence[Any]:
        """Return the completed values when `complete_sync` cannot. Errors go to the execution."""

    async def _settle_values(
        self, execution: Execution, values: Sequence[Any], paths: LazyPaths
    ) -> Sequence[Any]:
        """Await the values. Returns None for each that is null or failed."""
        if not any(map(is_missing_type, set(map(type, values)))):
            return values
        values = list(values)
        await await_all([values])
        for index, value in enumerate(values):
            if isinstance(value, Exception):
                execution.add_error(paths[index], value)
                values[index] = None
            elif value is None or value is Undefined:
                if not self.nullable:
                    name = f"{self.field.parent}.{self.field.nodes[0].name.value}"
                    error = TypeError(f"Cannot return null for non-nullable field {name}.")
                    execution.add_error(paths[index], error)
                values[index] = None
        return values


@dataclasses.dataclass(eq=False)
class Field:
    """One field of a selection. `index` is its position in the response object."""

    parent: GraphQLObjectType
    definition: GraphQLField
    details: FieldDetailsList
    key: str
    index: int
    # Set right after creation: they refer to the field.
    completer: Completer = dataclasses.field(init=False)
    resolver: FieldResolver = dataclasses.field(init=False)

    @cached_property
    def nodes(self) -> list[FieldNode]:
        return [each.node for each in self.details]


class SelectionPlan:
    """The fields selected of objects of one type, in the order of the response."""

    def __init__(self, fields: list[Field]) -> None:
        self.fields = fields
        self.is_batchable = not any(field.resolver.is_async for field in fields)
        """Whether queries with this root may be executed as one: no one waits for another's root fields."""
        self.requires_request_context = any(field.resolver.requires_request_context for field in fields)
        self.response_keys = [field.key for field in fields]
        self.awaitable_columns = [
            index for index, field in enumerate(fields) if field.resolver.can_return_awaitable
        ]
        """Indices into `fields`."""


class Layer(NamedTuple):
    """Objects at the same depth with the same selection."""

    plan: SelectionPlan
    sources: Sequence[Any]
    results: list[dict[str, Any]]
    """The response object of each source; empty until the layer is complete."""
    paths: LazyPaths


class Execution:
    """One execution of one or more root plans. `errors` holds what failed, unordered."""

    def __init__(self, executor: Executor[Any]) -> None:
        self.executor = executor
        self.errors: list[tuple[LazyPath, Exception]] = []
        self._next_layers: list[Layer] = []

    def enqueue(
        self, plan: SelectionPlan, sources: Sequence[Any], results: list[dict[str, Any]], paths: LazyPaths
    ) -> None:
        """Add a layer to be executed after the current ones."""
        self.count_values(len(sources) * len(plan.fields))
        self._next_layers.append(Layer(plan, sources, results, paths))

    def count_values(self, values: int) -> None:
        """Count values of the response before they are created. Raises what the executor raises."""
        self.executor.count_values(values)  # type: ignore[attr-defined] # of this package

    def add_error(self, path: LazyPath, error: Exception) -> None:
        self.errors.append((path, error))

    def resolve_info(self, field: Field, path: LazyPath) -> GraphQLResolveInfo[Any]:
        """Build the `info` argument for a field; `path` is that of the field or of an item of its list."""
        while path is not None and isinstance(path[1], int):
            path = path[0]
        core_path: Path | None = None
        for step in path_steps(path):
            name, type_name = (step, None) if isinstance(step, int) else (step.key, step.parent.name)
            core_path = Path(core_path, name, type_name)
        assert core_path is not None  # noqa: S101 - a field is never the root
        return self.executor.build_resolve_info(field.definition, field.nodes, field.parent, core_path)

    async def execute_layers(self) -> None:
        """Execute the enqueued layers, then those that they enqueue, until none is left."""
        while self._next_layers:
            layers, self._next_layers = self._next_layers, []
            started = [
                await self._start_in_pieces(layer) if is_long(layer.sources) else self.start(layer)
                for layer in layers
            ]
            awaitable_columns = [
                column
                for layer, resolved in zip(layers, started, strict=True)
                for index in layer.plan.awaitable_columns
                if isinstance(column := resolved[index], list)  # stored columns have no awaitables
            ]
            if awaitable_columns:
                await await_all(awaitable_columns)
            for layer, resolved in zip(layers, started, strict=True):
                await self.complete_layer(layer, resolved)

    def start(self, layer: Layer) -> list[Sequence[Any]]:
        """Call the resolvers. Returns a column of values and awaitables for each field."""
        return [field.resolver.start(self, layer, field) for field in layer.plan.fields]

    async def _start_in_pieces(self, layer: Layer) -> list[Sequence[Any]]:
        """As `start`, but other tasks run in between."""
        columns: list[Sequence[Any]] = []
        for field in layer.plan.fields:
            await asyncio.sleep(0)
            if not field.resolver.requires_request_context:
                columns.append(field.resolver.start(self, layer, field))
                continue
            column: list[Any] = []
            async for indices in in_pieces(range(len(layer.sources))):
                sources = layer.sources[indices[0] : indices[-1] + 1]
                piece = layer._replace(sources=sources, paths=layer.paths.for_indices(indices))
                column += field.resolver.start(self, piece, field)
            columns.append(column)
        return columns

    async def complete_layer(self, layer: Layer, resolved: Sequence[Sequence[Any]]) -> None:
        """Complete the values that `start` returned, once they are awaited, and fill in the results."""
        must_yield = is_long(layer.sources)
        completed: list[Sequence[Any]] = []
        for field, raw in zip(layer.plan.fields, resolved, strict=True):
            values = raw.split(len(layer.sources)) if type(raw) is CombinedColumn else raw
            paths = layer.paths.for_field(field)
            if must_yield:
                await asyncio.sleep(0)
            column = field.completer.complete_sync(self, values, paths)
            if column is None:
                column = await field.completer.complete(self, values, paths)
            completed.append(column)
        # When @skip omits every field, there are no rows and the results stay empty.
        rows = map(zip, repeat(layer.plan.response_keys), zip(*completed, strict=True))
        if must_yield:
            async for piece in in_pieces(layer.results):
                deque(map(dict.update, piece, rows), maxlen=0)
        else:
            deque(map(dict.update, layer.results, rows), maxlen=0)
