"""What becomes of a column of values: leaves are told, lists opened, objects handed to the next level.

A value that cannot be told is null here. `Run.fail` keeps why; nulls.py says afterwards how far it reaches.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from functools import lru_cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, Undefined
from graphql.execution.executor import invalid_return_type_error
from graphql.pyutils import is_iterable

from app.execution.serializers import MixedTypes, identity, serializer_for
from app.execution.waiting import attempt, await_all, is_awaitable_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphql import GraphQLLeafType, GraphQLObjectType

    from app.execution.plan import Field, SelectionPlan
    from app.execution.response_path import LazyPaths
    from app.execution.run import Execution
    from app.execution.serializers import ColumnSerializer

_NONE = type(None)
_LISTS = frozenset({list, tuple})
_UNKNOWN: Any = object()


class InstanceCheck:
    """An `is_type_of` that asks for the class alone, so that it need not be asked for each object."""

    def __init__(self, class_: type) -> None:
        self.class_ = class_

    def __call__(self, value: object, _info: object) -> bool:
        return isinstance(value, self.class_)


class Completer(ABC):
    """A type of the schema, as one field has it."""

    def __init__(self, field: Field, *, nullable: bool) -> None:
        self.field = field
        self.nullable = nullable

    @abstractmethod
    def complete_sync(self, run: Execution, values: Sequence[Any], paths: LazyPaths) -> Sequence[Any] | None:
        """What stands in the answer, where nothing is to wait for and nothing fails; None where it may be.

        Leaves do not ask for their places.
        """

    @abstractmethod
    async def complete(self, run: Execution, values: Sequence[Any], paths: LazyPaths) -> Sequence[Any]:
        """What stands in the answer for each value, where `at_once` does not know."""

    async def _settle_values(self, run: Execution, values: Sequence[Any], paths: LazyPaths) -> Sequence[Any]:
        """The values; None for those that are null or failed."""
        if not any(map(_is_odd, set(map(type, values)))):
            return values
        values = list(values)
        await await_all([values])
        for index, value in enumerate(values):
            if isinstance(value, Exception):
                run.add_error(paths[index], value)
                values[index] = None
            elif value is None or value is Undefined:
                if not self.nullable:
                    run.add_error(paths[index], self._missing())
                values[index] = None
        return values

    def _missing(self) -> TypeError:
        field = self.field
        return TypeError(
            f"Cannot return null for non-nullable field {field.parent}.{field.nodes[0].name.value}."
        )


@lru_cache(maxsize=1000)
def _is_odd(kind: type[Any]) -> bool:
    """Whether such a value is null, failed or yet to come."""
    return issubclass(kind, Exception) or kind in (_NONE, type(Undefined)) or is_awaitable_type(kind)  # type: ignore[arg-type] # a class is hashable


class LeafCompleter(Completer):
    def __init__(self, field: Field, type_: GraphQLLeafType, *, nullable: bool) -> None:
        super().__init__(field, nullable=nullable)
        self._type = type_
        self._converts: dict[type, ColumnSerializer | None] = {}

    def complete_sync(self, run: Execution, values: Sequence[Any], paths: LazyPaths) -> Sequence[Any] | None:  # noqa: ARG002
        kinds = set(map(type, values))
        missing = self.nullable and _NONE in kinds
        if missing:
            kinds.remove(_NONE)
        if len(kinds) != 1:
            return None if kinds else values
        (kind,) = kinds
        convert: ColumnSerializer | None = self._converts.get(kind, _UNKNOWN)
        if convert is _UNKNOWN:
            convert = self._convert(run, kind)
        if convert is identity or convert is None:
            return None if convert is None else values
        try:
            if not missing:
                return convert(values)
            told = iter(convert([value for value in values if value is not None]))
            return [None if value is None else next(told) for value in values]
        except MixedTypes:
            return None

    def _convert(self, run: Execution, kind: type) -> ColumnSerializer | None:
        convert = serializer_for(self._type, kind, native=run.executor.native_leaves)
        self._converts[kind] = convert
        return convert

    async def complete(self, run: Execution, values: Sequence[Any], paths: LazyPaths) -> Sequence[Any]:
        told = []
        for index, value in enumerate(await self._settle_values(run, values, paths)):
            try:
                told.append(None if value is None else run.executor.complete_leaf_value(self._type, value))
            except Exception as error:  # noqa: BLE001 - the type's own code refuses the value
                run.add_error(paths[index], error)
                told.append(None)
        return told


class ListCompleter(Completer):
    def __init__(self, field: Field, of: Completer, *, nullable: bool) -> None:
        super().__init__(field, nullable=nullable)
        self.of = of

    def complete_sync(self, run: Execution, values: Sequence[Any], paths: LazyPaths) -> Sequence[Any] | None:
        if not _LISTS.issuperset(map(type, values)):
            return None
        sizes = list(map(len, values))
        told = self.of.complete_sync(run, list(chain.from_iterable(values)), paths.for_items(sizes))
        if told is None:
            return None
        items = iter(told)
        return [list(islice(items, size)) for size in sizes]

    async def complete(self, run: Execution, values: Sequence[Any], paths: LazyPaths) -> Sequence[Any]:
        lists = [
            value
            if value is None or type(value) in (list, tuple)
            else await self._opened(run, value, paths, i)
            for i, value in enumerate(await self._settle_values(run, values, paths))
        ]
        sizes = [None if items is None else len(items) for items in lists]
        items = list(chain.from_iterable(items for items in lists if items is not None))
        paths = paths.for_items(sizes)
        column = self.of.complete_sync(run, items, paths)
        if column is None:
            column = await self.of.complete(run, items, paths)
        told = iter(column)
        return [None if size is None else list(islice(told, size)) for size in sizes]

    async def _opened(self, run: Execution, value: Any, paths: LazyPaths, index: int) -> list[Any] | None:  # noqa: ANN401
        field = self.field
        try:
            if run.executor.is_async_iterable(value):
                return [item async for item in value]
            if is_iterable(value):
                return list(value)
            error: Exception = GraphQLError(
                "Expected Iterable, but did not find one for field"
                f" '{field.parent}.{field.nodes[0].name.value}'."
            )
        except Exception as raised:  # noqa: BLE001 - whatever an iterator raises
            error = raised
        run.add_error(paths[index], error)
        return None


class ObjectCompleter(Completer):
    def __init__(self, field: Field, type_: Any, *, nullable: bool) -> None:  # noqa: ANN401 - Abstract has others
        super().__init__(field, nullable=nullable)
        self._type = type_
        self._selections: dict[GraphQLObjectType, SelectionPlan] = {}

    def complete_sync(self, run: Execution, values: Sequence[Any], paths: LazyPaths) -> Sequence[Any] | None:
        if not values:
            return []
        kinds = set(map(type, values))
        if len(kinds) != 1 or not self._is_own(kinds.pop()):
            return None
        told: list[dict[str, Any]] = [{} for _ in values]
        run.enqueue(self._selection(run, self._type), values, told, paths)
        return told

    def _is_own(self, kind: type) -> bool:
        """Whether all values of the class are told as objects of the type, which need not be asked."""
        check = self._type.is_type_of
        if check is None:
            return not _is_odd(kind)
        return isinstance(check, InstanceCheck) and issubclass(kind, check.class_)

    async def complete(self, run: Execution, values: Sequence[Any], paths: LazyPaths) -> Sequence[Any]:
        values = await self._settle_values(run, values, paths)
        found: Sequence[int] = range(len(values))
        if _NONE in set(map(type, values)):
            found = [index for index in found if values[index] is not None]
        told: list[Any] = [None] * len(values)
        for type_, indices in (await self._by_type(run, values, paths, found)).items():
            own = await self._own(run, type_, values, paths, indices)
            if not own:
                continue
            selection = self._selection(run, type_)
            if len(own) == len(values):
                told = [{} for _ in values]
                run.enqueue(selection, values, told, paths)
            else:
                results: list[dict[str, Any]] = [{} for _ in own]
                for index, target in zip(own, results, strict=True):
                    told[index] = target
                run.enqueue(selection, [values[index] for index in own], results, paths.for_indices(own))
        return told

    async def _by_type(
        self, _run: Execution, _values: Sequence[Any], _places: LazyPaths, found: Sequence[int]
    ) -> Mapping[GraphQLObjectType, Sequence[int]]:
        """Which of the values that were found are of which type."""
        return {self._type: found}

    async def _own(
        self,
        run: Execution,
        type_: GraphQLObjectType,
        values: Sequence[Any],
        paths: LazyPaths,
        indices: Sequence[int],
    ) -> Sequence[int]:
        """Those of the values that the type takes for its own."""
        check = type_.is_type_of
        if check is None:
            return indices
        if isinstance(check, InstanceCheck):
            # What is null is no instance, and was left out.
            kinds = {type(values[index]) for index in indices}
            if all(issubclass(kind, check.class_) for kind in kinds):
                return indices
        answers = [
            attempt(check, values[index], run.resolve_info(self.field, paths[index])) for index in indices
        ]
        await await_all([answers])
        own = []
        for index, answer in zip(indices, answers, strict=True):
            if isinstance(answer, Exception):
                run.add_error(paths[index], answer)
            elif answer:
                own.append(index)
            else:
                run.add_error(
                    paths[index], invalid_return_type_error(type_, values[index], self.field.details)
                )
        return own

    def _selection(self, run: Execution, type_: GraphQLObjectType) -> SelectionPlan:
        if type_ not in self._selections:
            self._selections[type_] = self.field.selection(run.executor, type_)
        return self._selections[type_]


class AbstractCompleter(ObjectCompleter):
    """An interface or a union."""

    def _is_own(self, _: type) -> bool:
        return False

    async def _by_type(
        self, run: Execution, values: Sequence[Any], paths: LazyPaths, found: Sequence[int]
    ) -> Mapping[GraphQLObjectType, Sequence[int]]:
        executor = run.executor
        resolve = self._type.resolve_type or executor.type_resolver
        infos = [run.resolve_info(self.field, paths[index]) for index in found]
        names = [
            attempt(resolve, values[index], info, self._type)
            for index, info in zip(found, infos, strict=True)
        ]
        await await_all([names])
        by_type: defaultdict[GraphQLObjectType, list[int]] = defaultdict(list)
        for index, info, name in zip(found, infos, names, strict=True):
            if isinstance(name, Exception):
                run.add_error(paths[index], name)
                continue
            try:
                type_ = executor.ensure_valid_runtime_type(
                    name, self._type, self.field.details, info, values[index]
                )
            except Exception as error:  # noqa: BLE001 - the type's own code, or what it answered
                run.add_error(paths[index], error)
            else:
                by_type[type_].append(index)
        return by_type
