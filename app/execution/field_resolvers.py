"""Where the values of a field come from, for all objects of a level at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from graphql import TypeNameMetaFieldDef, get_argument_values, get_named_type, is_leaf_type
from strawberry import ID
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import convert_argument
from strawberry.types.base import StrawberryMaybe, StrawberryOptional
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField

from app.execution.waiting import attempt, is_awaited

if TYPE_CHECKING:
    from graphql import GraphQLField, GraphQLResolveInfo
    from strawberry import Info, Schema
    from strawberry.types.arguments import StrawberryArgument
    from strawberry.types.fields.resolver import StrawberryResolver

    from app.execution.executor import LevelExecutor
    from app.execution.plan import Field
    from app.execution.run import Group, Run

Level: TypeAlias = Callable[[Sequence[Any], Any], Any]
"""Given all objects of a level and the operation's context, it answers for each in turn: what a resolver
would return, awaited or not, or the exception that it would raise. It may itself be `async`."""

LEVEL = "level"
"""Under this name a field offers a Level: in its extensions, or in its metadata where it is Strawberry's."""

_SIMPLE = (str, int, float, bool, ID)


class Source(Protocol):
    waits: bool
    """Whether there may be something to await."""

    def begin(self, run: Run, group: Group, field: Field) -> list[Any]:
        """A column to settle; exceptions stand in it for what failed."""

    is_work: bool
    """Whether it begins something that is awaited by itself, and may take its own time."""

    asks_whose: bool
    """Whether it wants to know of which operation the objects are, and where they stand."""

    ends: bool
    """Whether the settled column is not yet one value for each object."""

    def end(self, column: list[Any], size: int) -> list[Any]:
        """The settled column as one value for each of `size` objects."""


class _Plain:
    waits = True
    is_work = False
    asks_whose = False
    ends = False

    def end(self, column: list[Any], _: int) -> list[Any]:
        return column


class Constant(_Plain):
    """`__typename`: the plan knows the type."""

    waits = False

    def __init__(self, value: str) -> None:
        self._value = value

    def begin(self, _: Run, group: Group, __: Field) -> list[Any]:
        return [self._value] * len(group.sources)


class Attribute(_Plain):
    def __init__(self, name: str, *, waits: bool) -> None:
        self.name = name
        self._read = attrgetter(name)
        self.waits = waits

    def begin(self, _: Run, group: Group, __: Field) -> list[Any]:
        try:
            return list(map(self._read, group.sources))
        except Exception:  # noqa: BLE001 - one of them fails; the others may not
            return [attempt(self._read, source) for source in group.sources]


def columns_of(names: Sequence[str]) -> Callable[[Sequence[Any]], Iterable[Sequence[Any]]]:
    """Reads a column for each attribute; raises what the first raises that fails."""
    if not names:
        return lambda _: ()
    read: Callable[[Any], Any] = attrgetter(*names)
    if len(names) == 1:
        return lambda sources: [list(map(read, sources))]
    # Of no objects there are no columns to turn round.
    return lambda sources: zip(*map(read, sources), strict=True) if sources else [()] * len(names)


class Called(_Plain):
    """A resolver that asks for no more than the object."""

    def __init__(self, resolver: Callable[[Any], Any]) -> None:
        self._resolver = resolver
        self.is_work = inspect.iscoroutinefunction(resolver)

    def begin(self, _: Run, group: Group, __: Field) -> list[Any]:
        return [attempt(self._resolver, source) for source in group.sources]


class Direct(_Plain):
    """A resolver of Strawberry's that also takes `Info` or arguments: what it takes is found out once."""

    asks_whose = True

    def __init__(self, field: StrawberryField, resolver: StrawberryResolver[Any], schema: Schema) -> None:
        self._field = field
        self._schema = schema
        self._resolver = cast("Callable[..., Any]", resolver.wrapped_func)
        self.is_work = inspect.iscoroutinefunction(self._resolver)
        self._takes_self = resolver.self_parameter is not None
        self._objects = [p.name for p in (resolver.parent_parameter, resolver.root_parameter) if p]
        self._infos = [p.name for p in (resolver.info_parameter,) if p]
        self._arguments = {
            schema.config.name_converter.from_argument(argument): (argument, _is_simple(argument))
            for argument in field.arguments
        }

    def begin(self, run: Run, group: Group, field: Field) -> list[Any]:
        given = attempt(_arguments, run.executor, field)
        if isinstance(given, Exception):
            return [given] * len(group.sources)
        places = group.places.of_field(field)
        return [
            attempt(self._resolved, run.info(field, places[index]), source, given)
            for index, source in enumerate(group.sources)
        ]

    def _resolved(self, raw: GraphQLResolveInfo[Any], source: Any, given: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
        info = self._schema.config.info_class(raw, self._field)
        taken = dict.fromkeys(self._objects, source) | dict.fromkeys(self._infos, info)
        for name, value in given.items():
            argument, is_simple = self._arguments[name]
            taken[argument.python_name] = value if is_simple else self._converted(name, value, info)
        return self._resolver(source, **taken) if self._takes_self else self._resolver(**taken)

    def _converted(self, name: str, value: Any, info: Info) -> Any:  # noqa: ANN401 - any input
        schema, (argument, _) = self._schema, self._arguments[name]
        registry = schema.schema_converter.scalar_registry
        return convert_argument(value, argument.type, registry, schema.config, info, path=(name,))


def _is_simple(argument: StrawberryArgument) -> bool:
    """Strawberry takes its values as they come."""
    type_ = argument.type
    if isinstance(type_, StrawberryOptional) and not isinstance(type_, StrawberryMaybe):
        type_ = type_.of_type
    return type_ in _SIMPLE or isinstance(type_, StrawberryEnumDefinition)


def _arguments(executor: LevelExecutor, field: Field) -> dict[str, Any]:
    first = field.details[0]
    if not field.definition.args and not first.node.arguments:
        return {}
    return get_argument_values(
        field.definition,
        first.node,
        executor.variable_values,
        first.fragment_variable_values,
        executor.hide_suggestions,
    )


class Together(_Plain):
    """One function of all objects, with an answer for each; they may be awaited, one by one or as one."""

    is_work = True
    ends = True

    def __init__(self, level: Level) -> None:
        self._level = level

    def begin(self, run: Run, group: Group, _: Field) -> list[Any]:
        found = attempt(self._level, group.sources, run.executor.context_value)
        if is_awaited(type(found)):  # type: ignore[arg-type] # a class is hashable
            return _AllOfThem([found])
        return _for_each(found, len(group.sources))

    def end(self, column: list[Any], size: int) -> list[Any]:
        return _for_each(column[0], size) if type(column) is _AllOfThem else column


class _AllOfThem(list[Any]):
    """A column to be: the answers are awaited as one."""


def _for_each(found: Any, size: int) -> list[Any]:  # noqa: ANN401 - answers, or why there are none
    if isinstance(found, Exception):
        return [found] * size
    answers = list(found)
    if len(answers) != size:
        return [TypeError(f"A level of {size} objects was answered with {len(answers)} values.")] * size
    return answers


class Resolved(_Plain):
    """Any resolver, called as graphql-core calls it."""

    is_work = True
    asks_whose = True

    def begin(self, run: Run, group: Group, field: Field) -> list[Any]:
        executor, definition = run.executor, field.definition
        places = group.places.of_field(field)
        resolve = definition.resolve or executor.field_resolver
        if executor.middleware_manager:
            resolve = executor.middleware_manager.get_field_resolver(resolve)

        def resolved(source: Any, index: int) -> Any:  # noqa: ANN401 - whatever resolvers return
            return resolve(source, run.info(field, places[index]), **_arguments(executor, field))

        return [attempt(resolved, source, index) for index, source in enumerate(group.sources)]


def source_of(executor: LevelExecutor, field: Field) -> Source:
    definition = field.definition
    if definition is TypeNameMetaFieldDef:
        return Constant(field.parent.name)
    if executor.middleware_manager and executor.middleware_manager.middlewares:
        return Resolved()
    if level := definition.extensions.get(LEVEL):
        return Together(level)
    strawberry = _of_strawberry(executor, definition)
    return Resolved() if strawberry is None else _source_of_strawberry(executor, strawberry, definition)


def _of_strawberry(executor: LevelExecutor, definition: GraphQLField) -> StrawberryField | None:
    """The field, unless something stands between it and its resolver.

    That is an extension (permissions are), a handler of exceptions, or another resolver in its place.
    """
    field = definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    schema = executor.schema.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    own = getattr(definition.resolve, "__module__", None) == GraphQLCoreConverter.__module__
    # What a resolver of a subscription yields is resolved by another.
    if not isinstance(field, StrawberryField) or not own or field.extensions or definition.subscribe:
        return None
    return None if schema is None or schema.exception_handlers else field


def _source_of_strawberry(
    executor: LevelExecutor, field: StrawberryField, definition: GraphQLField
) -> Source:
    if level := field.metadata.get(LEVEL):
        return Together(level)
    resolver = field.base_resolver
    if resolver is None:
        if field.default_resolver is not getattr:
            return Resolved()
        is_leaf = is_leaf_type(get_named_type(definition.type))
        return Attribute(field.python_name, waits=not is_leaf)
    takes_object = resolver.self_parameter or resolver.parent_parameter or resolver.root_parameter
    function = cast("Callable[[Any], Any]", resolver.wrapped_func)
    if takes_object and len(inspect.signature(function).parameters) == 1:
        return Called(function)
    return Direct(field, resolver, executor.schema.extensions[GraphQLCoreConverter.DEFINITION_BACKREF])
