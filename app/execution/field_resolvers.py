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

from app.execution.waiting import attempt, is_awaitable_type

if TYPE_CHECKING:
    from graphql import GraphQLField, GraphQLResolveInfo
    from strawberry import Info, Schema
    from strawberry.types.arguments import StrawberryArgument
    from strawberry.types.fields.resolver import StrawberryResolver

    from app.execution.executor import BreadthFirstExecutor
    from app.execution.plan import Field
    from app.execution.run import Execution, Layer

BatchResolverFn: TypeAlias = Callable[[Sequence[Any], Any], Any]
"""Given all objects of a level and the operation's context, it answers for each in turn: what a resolver
would return, awaited or not, or the exception that it would raise. It may itself be `async`."""

BATCH_RESOLVER = "level"
"""Under this name a field offers a Level: in its extensions, or in its metadata where it is Strawberry's."""

_SIMPLE = (str, int, float, bool, ID)


class FieldResolver(Protocol):
    can_return_awaitable: bool
    """Whether there may be something to await."""

    def start(self, run: Execution, group: Layer, field: Field) -> list[Any]:
        """A column to settle; exceptions stand in it for what failed."""

    is_async: bool
    """Whether it begins something that is awaited by itself, and may take its own time."""

    requires_request_context: bool
    """Whether it wants to know of which operation the objects are, and where they stand."""

    has_combined_result: bool
    """Whether the settled column is not yet one value for each object."""

    def split(self, column: list[Any], size: int) -> list[Any]:
        """The settled column as one value for each of `size` objects."""


class _Plain:
    can_return_awaitable = True
    is_async = False
    requires_request_context = False
    has_combined_result = False

    def split(self, column: list[Any], _: int) -> list[Any]:
        return column


class ConstantResolver(_Plain):
    """`__typename`: the plan knows the type."""

    can_return_awaitable = False

    def __init__(self, value: str) -> None:
        self._value = value

    def start(self, _: Execution, group: Layer, __: Field) -> list[Any]:
        return [self._value] * len(group.sources)


class AttributeResolver(_Plain):
    def __init__(self, name: str, *, can_return_awaitable: bool) -> None:
        self.name = name
        self._read = attrgetter(name)
        self.can_return_awaitable = can_return_awaitable

    def start(self, _: Execution, group: Layer, __: Field) -> list[Any]:
        try:
            return list(map(self._read, group.sources))
        except Exception:  # noqa: BLE001 - one of them fails; the others may not
            return [attempt(self._read, source) for source in group.sources]


def attribute_reader(names: Sequence[str]) -> Callable[[Sequence[Any]], Iterable[Sequence[Any]]]:
    """Reads a column for each attribute; raises what the first raises that fails."""
    if not names:
        return lambda _: ()
    read: Callable[[Any], Any] = attrgetter(*names)
    if len(names) == 1:
        return lambda sources: [list(map(read, sources))]
    # Of no objects there are no columns to turn round.
    return lambda sources: zip(*map(read, sources), strict=True) if sources else [()] * len(names)


class ParentResolver(_Plain):
    """A resolver that asks for no more than the object."""

    def __init__(self, resolver: Callable[[Any], Any]) -> None:
        self._resolver = resolver
        self.is_async = inspect.iscoroutinefunction(resolver)

    def start(self, _: Execution, group: Layer, __: Field) -> list[Any]:
        return [attempt(self._resolver, source) for source in group.sources]


class DirectResolver(_Plain):
    """A resolver of Strawberry's that also takes `Info` or arguments: what it takes is found out once."""

    requires_request_context = True

    def __init__(self, field: StrawberryField, resolver: StrawberryResolver[Any], schema: Schema) -> None:
        self._field = field
        self._schema = schema
        self._resolver = cast("Callable[..., Any]", resolver.wrapped_func)
        self.is_async = inspect.iscoroutinefunction(self._resolver)
        self._takes_self = resolver.self_parameter is not None
        self._objects = [p.name for p in (resolver.parent_parameter, resolver.root_parameter) if p]
        self._infos = [p.name for p in (resolver.info_parameter,) if p]
        self._arguments = {
            schema.config.name_converter.from_argument(argument): (argument, _is_simple(argument))
            for argument in field.arguments
        }

    def start(self, run: Execution, group: Layer, field: Field) -> list[Any]:
        given = attempt(_arguments, run.executor, field)
        if isinstance(given, Exception):
            return [given] * len(group.sources)
        paths = group.paths.for_field(field)
        return [
            attempt(self._resolved, run.resolve_info(field, paths[index]), source, given)
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


def _arguments(executor: BreadthFirstExecutor, field: Field) -> dict[str, Any]:
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


class BatchResolver(_Plain):
    """One function of all objects, with an answer for each; they may be awaited, one by one or as one."""

    is_async = True
    has_combined_result = True

    def __init__(self, level: BatchResolverFn) -> None:
        self._level = level

    def start(self, run: Execution, group: Layer, _: Field) -> list[Any]:
        found = attempt(self._level, group.sources, run.executor.context_value)
        if is_awaitable_type(type(found)):  # type: ignore[arg-type] # a class is hashable
            return _AllOfThem([found])
        return _for_each(found, len(group.sources))

    def split(self, column: list[Any], size: int) -> list[Any]:
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


class FallbackResolver(_Plain):
    """Any resolver, called as graphql-core calls it."""

    is_async = True
    requires_request_context = True

    def start(self, run: Execution, group: Layer, field: Field) -> list[Any]:
        executor, definition = run.executor, field.definition
        paths = group.paths.for_field(field)
        resolve = definition.resolve or executor.field_resolver
        if executor.middleware_manager:
            resolve = executor.middleware_manager.get_field_resolver(resolve)

        def resolved(source: Any, index: int) -> Any:  # noqa: ANN401 - whatever resolvers return
            return resolve(source, run.resolve_info(field, paths[index]), **_arguments(executor, field))

        return [attempt(resolved, source, index) for index, source in enumerate(group.sources)]


def resolver_for(executor: BreadthFirstExecutor, field: Field) -> FieldResolver:
    definition = field.definition
    if definition is TypeNameMetaFieldDef:
        return ConstantResolver(field.parent.name)
    if executor.middleware_manager and executor.middleware_manager.middlewares:
        return FallbackResolver()
    if level := definition.extensions.get(BATCH_RESOLVER):
        return BatchResolver(level)
    strawberry = _of_strawberry(executor, definition)
    return (
        FallbackResolver()
        if strawberry is None
        else _resolver_for_strawberry(executor, strawberry, definition)
    )


def _of_strawberry(executor: BreadthFirstExecutor, definition: GraphQLField) -> StrawberryField | None:
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


def _resolver_for_strawberry(
    executor: BreadthFirstExecutor, field: StrawberryField, definition: GraphQLField
) -> FieldResolver:
    if level := field.metadata.get(BATCH_RESOLVER):
        return BatchResolver(level)
    resolver = field.base_resolver
    if resolver is None:
        if field.default_resolver is not getattr:
            return FallbackResolver()
        is_leaf = is_leaf_type(get_named_type(definition.type))
        return AttributeResolver(field.python_name, can_return_awaitable=not is_leaf)
    takes_object = resolver.self_parameter or resolver.parent_parameter or resolver.root_parameter
    function = cast("Callable[[Any], Any]", resolver.wrapped_func)
    if takes_object and len(inspect.signature(function).parameters) == 1:
        return ParentResolver(function)
    return DirectResolver(
        field, resolver, executor.schema.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
    )
