"""Completes columns of values: serializes leaves, opens lists, and enqueues objects for the next layer.

A value that cannot be completed becomes null here and its error goes to the execution; null_propagation.py
decides later how far the null reaches.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from graphql import GraphQLError
from graphql.execution.executor import invalid_return_type_error
from graphql.pyutils import is_iterable

from app.execution.plan import Completer, SerializedColumn
from app.execution.serializers import MixedTypes, identity, serializer_for
from app.execution.waiting import attempt, await_all, in_pieces, is_missing_type
from app.rows import Rows, gather, join

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graphql import Executor, GraphQLLeafType, GraphQLObjectType

    from app.execution.plan import Execution, Field, LazyPaths, SelectionPlan
    from app.execution.serializers import ColumnSerializer

PlanSelection: TypeAlias = "Callable[[Executor[Any], Field, GraphQLObjectType], SelectionPlan]"
"""Plans the selection of a field for one type of its objects."""

_NONE = type(None)
_LISTS = frozenset({list, tuple, Rows})


class InstanceCheck:
    """An `is_type_of` that depends on the class of a value alone, so it is called once per class."""

    def __init__(self, class_: type) -> None:
        self.class_ = class_

    def __call__(self, value: object, _info: object) -> bool:
        return isinstance(value, self.class_)


class LeafCompleter(Completer):
    def __init__(self, field: Field, type_: GraphQLLeafType, *, nullable: bool, native_leaves: bool) -> None:
        super().__init__(field, nullable=nullable)
        self._type = type_
        self._native_leaves = native_leaves
        self._serializers: dict[type, ColumnSerializer | None] = {}

    def complete_sync(
        self, _execution: Execution, values: Sequence[Any], _paths: LazyPaths
    ) -> Sequence[Any] | None:
        if type(values) is SerializedColumn:
            return values
        types = set(map(type, values))
        has_nulls = self.nullable and _NONE in types
        if has_nulls:
            types.remove(_NONE)
        if len(types) != 1:
            return None if types else values
        (value_type,) = types
        if value_type not in self._serializers:
            self._serializers[value_type] = serializer_for(self._type, value_type, native=self._native_leaves)
        serialize = self._serializers[value_type]
        if serialize is identity or serialize is None:
            return None if serialize is None else values
        try:
            if not has_nulls:
                return serialize(values)
            serialized = iter(serialize([value for value in values if value is not None]))
            return [None if value is None else next(serialized) for value in values]
        except MixedTypes:
            return None

    async def complete(self, execution: Execution, values: Sequence[Any], paths: LazyPaths) -> Sequence[Any]:
        completed: list[Any] = []
        async for piece in in_pieces(await self._settle_values(execution, values, paths)):
            for value in piece:
                try:
                    completed.append(
                        None if value is None else execution.executor.complete_leaf_value(self._type, value)
                    )
                except Exception as error:  # noqa: BLE001 - the type rejects the value
                    execution.add_error(paths[len(completed)], error)
                    completed.append(None)
        return completed


class ListCompleter(Completer):
    def __init__(self, field: Field, item: Completer, *, nullable: bool) -> None:
        super().__init__(field, nullable=nullable)
        self.item = item

    def complete_sync(
        self, execution: Execution, values: Sequence[Any], paths: LazyPaths
    ) -> Sequence[Any] | None:
        types = set(map(type, values))
        if not _LISTS.issuperset(types):
            return None
        sizes = list(map(len, values))
        execution.count_values(sum(sizes))
        rows = join(values) if Rows in types else None
        items_of_all = list(chain.from_iterable(values)) if rows is None else rows
        column = self.item.complete_sync(execution, items_of_all, paths.for_items(sizes))
        if column is None:
            execution.count_values(-sum(sizes))  # `complete` counts them
            return None
        items = iter(column)
        return [list(islice(items, size)) for size in sizes]

    async def complete(self, execution: Execution, values: Sequence[Any], paths: LazyPaths) -> Sequence[Any]:
        values = await self._settle_values(execution, values, paths)
        lists = [await self._to_list(execution, value, paths, index) for index, value in enumerate(values)]
        sizes = [None if items is None else len(items) for items in lists]
        execution.count_values(sum(filter(None, sizes)))
        values = list(chain.from_iterable(items for items in lists if items is not None))
        item_paths = paths.for_items(sizes)
        column = self.item.complete_sync(execution, values, item_paths)
        if column is None:
            column = await self.item.complete(execution, values, item_paths)
        items = iter(column)
        return [None if size is None else list(islice(items, size)) for size in sizes]

    async def _to_list(
        self,
        execution: Execution,
        value: Any,  # noqa: ANN401 - whatever a resolver returned
        paths: LazyPaths,
        index: int,
    ) -> Sequence[Any] | None:
        if value is None or type(value) in _LISTS:
            return cast("Sequence[Any] | None", value)
        field = self.field
        try:
            if execution.executor.is_async_iterable(value):
                return [item async for item in value]
            if is_iterable(value):
                return list(value)
            error: Exception = GraphQLError(
                "Expected Iterable, but did not find one for field"
                f" '{field.parent}.{field.nodes[0].name.value}'."
            )
        except Exception as raised:  # noqa: BLE001 - whatever an iterator raises
            error = raised
        execution.add_error(paths[index], error)
        return None


class ObjectCompleter(Completer):
    def __init__(
        self,
        field: Field,
        type_: Any,  # noqa: ANN401 - AbstractCompleter has other types
        *,
        nullable: bool,
        plan_selection: PlanSelection,
    ) -> None:
        super().__init__(field, nullable=nullable)
        self._type = type_
        self._plan_selection = plan_selection
        self._plans: dict[GraphQLObjectType, SelectionPlan] = {}

    def complete_sync(
        self, execution: Execution, values: Sequence[Any], paths: LazyPaths
    ) -> Sequence[Any] | None:
        if not values:
            return []
        values = gather(values)
        types = {values.table.row_type} if type(values) is Rows else set(map(type, values))
        if len(types) != 1 or not self._accepts_all(types.pop()):
            return None
        results: list[dict[str, Any]] = [{} for _ in range(len(values))]
        execution.enqueue(self._plan(execution, self._type), values, results, paths)
        return results

    def _accepts_all(self, class_: type) -> bool:
        """Whether every instance of the class is an object of the type, without calling `is_type_of`."""
        check = self._type.is_type_of
        if check is None:
            return not is_missing_type(class_)
        return isinstance(check, InstanceCheck) and issubclass(class_, check.class_)

    async def complete(self, execution: Execution, values: Sequence[Any], paths: LazyPaths) -> Sequence[Any]:
        values = await self._settle_values(execution, values, paths)
        present = [index for index, value in enumerate(values) if value is not None]
        completed: list[Any] = [None] * len(values)
        for type_, indices in (await self._by_type(execution, values, paths, present)).items():
            accepted = await self._accepted(execution, type_, values, paths, indices)
            if not accepted:
                continue
            results: list[dict[str, Any]] = [{} for _ in accepted]
            for index, result in zip(accepted, results, strict=True):
                completed[index] = result
            sources = gather([values[index] for index in accepted])
            plan = self._plan(execution, type_)
            execution.enqueue(plan, sources, results, paths.for_indices(accepted))
        return completed

    async def _by_type(
        self, _execution: Execution, _values: Sequence[Any], _paths: LazyPaths, present: Sequence[int]
    ) -> Mapping[GraphQLObjectType, Sequence[int]]:
        """Return the indices of the present values by their object type."""
        return {self._type: present}

    async def _accepted(
        self,
        execution: Execution,
        type_: GraphQLObjectType,
        values: Sequence[Any],
        paths: LazyPaths,
        indices: Sequence[int],
    ) -> Sequence[int]:
        """Return the indices of the values that the type's `is_type_of` accepts."""
        check = type_.is_type_of
        if check is None:
            return indices
        if isinstance(check, InstanceCheck):
            types = {type(values[index]) for index in indices}
            if all(issubclass(class_, check.class_) for class_ in types):
                return indices
        results = [
            attempt(check, values[index], execution.resolve_info(self.field, paths[index]))
            for index in indices
        ]
        await await_all([results])
        accepted = []
        for index, result in zip(indices, results, strict=True):
            if isinstance(result, Exception):
                execution.add_error(paths[index], result)
            elif result:
                accepted.append(index)
            else:
                error = invalid_return_type_error(type_, values[index], self.field.details)
                execution.add_error(paths[index], error)
        return accepted

    def _plan(self, execution: Execution, type_: GraphQLObjectType) -> SelectionPlan:
        if type_ not in self._plans:
            self._plans[type_] = self._plan_selection(execution.executor, self.field, type_)
        return self._plans[type_]


class AbstractCompleter(ObjectCompleter):
    """Completes values of an interface or a union."""

    def _accepts_all(self, _: type) -> bool:
        return False

    async def _by_type(
        self, execution: Execution, values: Sequence[Any], paths: LazyPaths, present: Sequence[int]
    ) -> Mapping[GraphQLObjectType, Sequence[int]]:
        executor = execution.executor
        resolve = self._type.resolve_type or executor.type_resolver
        infos = [execution.resolve_info(self.field, paths[index]) for index in present]
        names = [
            attempt(resolve, values[index], info, self._type)
            for index, info in zip(present, infos, strict=True)
        ]
        await await_all([names])
        by_type: defaultdict[GraphQLObjectType, list[int]] = defaultdict(list)
        for index, info, name in zip(present, infos, names, strict=True):
            if isinstance(name, Exception):
                execution.add_error(paths[index], name)
                continue
            try:
                type_ = executor.ensure_valid_runtime_type(
                    name, self._type, self.field.details, info, values[index]
                )
            except Exception as error:  # noqa: BLE001 - resolve_type returned an invalid type
                execution.add_error(paths[index], error)
            else:
                by_type[type_].append(index)
        return by_type
