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

from app.execution.serializers import NotAlike, as_they_are, convert_of
from app.execution.waiting import attempt, is_awaited, settle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphql import GraphQLLeafType, GraphQLObjectType

    from app.execution.plan import Field, Selection
    from app.execution.response_path import Places
    from app.execution.run import Run
    from app.execution.serializers import Convert

_NONE = type(None)
_LISTS = frozenset({list, tuple})
_UNKNOWN: Any = object()


class InstanceOf:
    """An `is_type_of` that asks for the class alone, so that it need not be asked for each object."""

    def __init__(self, class_: type) -> None:
        self.class_ = class_

    def __call__(self, value: object, _info: object) -> bool:
        return isinstance(value, self.class_)


class Kind(ABC):
    """A type of the schema, as one field has it."""

    def __init__(self, field: Field, *, nullable: bool) -> None:
        self.field = field
        self.nullable = nullable

    @abstractmethod
    def at_once(self, run: Run, values: Sequence[Any], places: Places) -> Sequence[Any] | None:
        """What stands in the answer, where nothing is to wait for and nothing fails; None where it may be.

        Leaves do not ask for their places.
        """

    @abstractmethod
    async def complete(self, run: Run, values: Sequence[Any], places: Places) -> Sequence[Any]:
        """What stands in the answer for each value, where `at_once` does not know."""

    async def _sifted(self, run: Run, values: Sequence[Any], places: Places) -> Sequence[Any]:
        """The values; None for those that are null or failed."""
        if not any(map(_is_odd, set(map(type, values)))):
            return values
        values = list(values)
        await settle([values])
        for index, value in enumerate(values):
            if isinstance(value, Exception):
                run.fail(places[index], value)
                values[index] = None
            elif value is None or value is Undefined:
                if not self.nullable:
                    run.fail(places[index], self._missing())
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
    return issubclass(kind, Exception) or kind in (_NONE, type(Undefined)) or is_awaited(kind)  # type: ignore[arg-type] # a class is hashable


class Leaf(Kind):
    def __init__(self, field: Field, type_: GraphQLLeafType, *, nullable: bool) -> None:
        super().__init__(field, nullable=nullable)
        self._type = type_
        self._converts: dict[type, Convert | None] = {}

    def at_once(self, run: Run, values: Sequence[Any], places: Places) -> Sequence[Any] | None:  # noqa: ARG002
        kinds = set(map(type, values))
        missing = self.nullable and _NONE in kinds
        if missing:
            kinds.remove(_NONE)
        if len(kinds) != 1:
            return None if kinds else values
        (kind,) = kinds
        convert: Convert | None = self._converts.get(kind, _UNKNOWN)
        if convert is _UNKNOWN:
            convert = self._convert(run, kind)
        if convert is as_they_are or convert is None:
            return None if convert is None else values
        try:
            if not missing:
                return convert(values)
            told = iter(convert([value for value in values if value is not None]))
            return [None if value is None else next(told) for value in values]
        except NotAlike:
            return None

    def _convert(self, run: Run, kind: type) -> Convert | None:
        convert = convert_of(self._type, kind, native=run.executor.native_leaves)
        self._converts[kind] = convert
        return convert

    async def complete(self, run: Run, values: Sequence[Any], places: Places) -> Sequence[Any]:
        told = []
        for index, value in enumerate(await self._sifted(run, values, places)):
            try:
                told.append(None if value is None else run.executor.complete_leaf_value(self._type, value))
            except Exception as error:  # noqa: BLE001 - the type's own code refuses the value
                run.fail(places[index], error)
                told.append(None)
        return told


class Listing(Kind):
    def __init__(self, field: Field, of: Kind, *, nullable: bool) -> None:
        super().__init__(field, nullable=nullable)
        self.of = of

    def at_once(self, run: Run, values: Sequence[Any], places: Places) -> Sequence[Any] | None:
        if not _LISTS.issuperset(map(type, values)):
            return None
        sizes = list(map(len, values))
        told = self.of.at_once(run, list(chain.from_iterable(values)), places.of_items(sizes))
        if told is None:
            return None
        items = iter(told)
        return [list(islice(items, size)) for size in sizes]

    async def complete(self, run: Run, values: Sequence[Any], places: Places) -> Sequence[Any]:
        lists = [
            value
            if value is None or type(value) in (list, tuple)
            else await self._opened(run, value, places, i)
            for i, value in enumerate(await self._sifted(run, values, places))
        ]
        sizes = [None if items is None else len(items) for items in lists]
        items = list(chain.from_iterable(items for items in lists if items is not None))
        places = places.of_items(sizes)
        column = self.of.at_once(run, items, places)
        if column is None:
            column = await self.of.complete(run, items, places)
        told = iter(column)
        return [None if size is None else list(islice(told, size)) for size in sizes]

    async def _opened(self, run: Run, value: Any, places: Places, index: int) -> list[Any] | None:  # noqa: ANN401
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
        run.fail(places[index], error)
        return None


class Object(Kind):
    def __init__(self, field: Field, type_: Any, *, nullable: bool) -> None:  # noqa: ANN401 - Abstract has others
        super().__init__(field, nullable=nullable)
        self._type = type_
        self._selections: dict[GraphQLObjectType, Selection] = {}

    def at_once(self, run: Run, values: Sequence[Any], places: Places) -> Sequence[Any] | None:
        if not values:
            return []
        kinds = set(map(type, values))
        if len(kinds) != 1 or not self._is_own(kinds.pop()):
            return None
        told: list[dict[str, Any]] = [{} for _ in values]
        run.next(self._selection(run, self._type), values, told, places)
        return told

    def _is_own(self, kind: type) -> bool:
        """Whether all values of the class are told as objects of the type, which need not be asked."""
        check = self._type.is_type_of
        if check is None:
            return not _is_odd(kind)
        return isinstance(check, InstanceOf) and issubclass(kind, check.class_)

    async def complete(self, run: Run, values: Sequence[Any], places: Places) -> Sequence[Any]:
        values = await self._sifted(run, values, places)
        found: Sequence[int] = range(len(values))
        if _NONE in set(map(type, values)):
            found = [index for index in found if values[index] is not None]
        told: list[Any] = [None] * len(values)
        for type_, indices in (await self._by_type(run, values, places, found)).items():
            own = await self._own(run, type_, values, places, indices)
            if not own:
                continue
            selection = self._selection(run, type_)
            if len(own) == len(values):
                told = [{} for _ in values]
                run.next(selection, values, told, places)
            else:
                targets: list[dict[str, Any]] = [{} for _ in own]
                for index, target in zip(own, targets, strict=True):
                    told[index] = target
                run.next(selection, [values[index] for index in own], targets, places.of_some(own))
        return told

    async def _by_type(
        self, _run: Run, _values: Sequence[Any], _places: Places, found: Sequence[int]
    ) -> Mapping[GraphQLObjectType, Sequence[int]]:
        """Which of the values that were found are of which type."""
        return {self._type: found}

    async def _own(
        self,
        run: Run,
        type_: GraphQLObjectType,
        values: Sequence[Any],
        places: Places,
        indices: Sequence[int],
    ) -> Sequence[int]:
        """Those of the values that the type takes for its own."""
        check = type_.is_type_of
        if check is None:
            return indices
        if isinstance(check, InstanceOf):
            # What is null is no instance, and was left out.
            kinds = {type(values[index]) for index in indices}
            if all(issubclass(kind, check.class_) for kind in kinds):
                return indices
        answers = [attempt(check, values[index], run.info(self.field, places[index])) for index in indices]
        await settle([answers])
        own = []
        for index, answer in zip(indices, answers, strict=True):
            if isinstance(answer, Exception):
                run.fail(places[index], answer)
            elif answer:
                own.append(index)
            else:
                run.fail(places[index], invalid_return_type_error(type_, values[index], self.field.details))
        return own

    def _selection(self, run: Run, type_: GraphQLObjectType) -> Selection:
        if type_ not in self._selections:
            self._selections[type_] = self.field.selection(run.executor, type_)
        return self._selections[type_]


class Abstract(Object):
    """An interface or a union."""

    def _is_own(self, _: type) -> bool:
        return False

    async def _by_type(
        self, run: Run, values: Sequence[Any], places: Places, found: Sequence[int]
    ) -> Mapping[GraphQLObjectType, Sequence[int]]:
        executor = run.executor
        resolve = self._type.resolve_type or executor.type_resolver
        infos = [run.info(self.field, places[index]) for index in found]
        names = [
            attempt(resolve, values[index], info, self._type)
            for index, info in zip(found, infos, strict=True)
        ]
        await settle([names])
        by_type: defaultdict[GraphQLObjectType, list[int]] = defaultdict(list)
        for index, info, name in zip(found, infos, names, strict=True):
            if isinstance(name, Exception):
                run.fail(places[index], name)
                continue
            try:
                type_ = executor.ensure_valid_runtime_type(
                    name, self._type, self.field.details, info, values[index]
                )
            except Exception as error:  # noqa: BLE001 - the type's own code, or what it answered
                run.fail(places[index], error)
            else:
                by_type[type_].append(index)
        return by_type
