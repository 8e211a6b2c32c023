"""Where the values of a field come from, for all objects of a level at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from graphql import TypeNameMetaFieldDef, get_argument_values, get_named_type, is_leaf_type
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

from app.execution.waiting import attempt

if TYPE_CHECKING:
    from graphql import GraphQLField

    from app.execution.executor import LevelExecutor
    from app.execution.plan import Field
    from app.execution.run import Group, Run

Level: TypeAlias = Callable[[Sequence[Any], Any], Any]
"""Given all objects of a level and the operation's context, it answers, awaited or not, for each in turn:
what a resolver would return, or the exception that it would raise."""

LEVEL = "level"
"""Under this name a field offers a Level: in its extensions, or in its metadata where it is Strawberry's."""


class Source(Protocol):
    waits: bool
    """Whether there may be something to await."""

    def begin(self, run: Run, group: Group, field: Field) -> list[Any]:
        """A column to settle; exceptions stand in it for what failed."""

    def end(self, column: list[Any], size: int) -> list[Any]:
        """The settled column as one value for each of `size` objects."""


class _Plain:
    waits = True

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
        self._read = attrgetter(name)
        self.waits = waits

    def begin(self, _: Run, group: Group, __: Field) -> list[Any]:
        try:
            return list(map(self._read, group.sources))
        except Exception:  # noqa: BLE001 - one of them fails; the others may not
            return [attempt(self._read, source) for source in group.sources]


class Called(_Plain):
    """A resolver that asks for no more than the object."""

    def __init__(self, resolver: Callable[[Any], Any]) -> None:
        self._resolver = resolver

    def begin(self, _: Run, group: Group, __: Field) -> list[Any]:
        return [attempt(self._resolver, source) for source in group.sources]


class WholeLevel:
    """One function of all objects."""

    waits = True

    def __init__(self, level: Level) -> None:
        self._level = level

    def begin(self, run: Run, group: Group, _: Field) -> list[Any]:
        return [attempt(self._level, group.sources, run.executor.context_value)]

    def end(self, column: list[Any], size: int) -> list[Any]:
        (found,) = column
        if isinstance(found, Exception):
            return [found] * size
        found = list(found)
        if len(found) != size:
            return [TypeError(f"A level of {size} objects was answered with {len(found)} values.")] * size
        return found


class Resolved(_Plain):
    """Any resolver, called as graphql-core calls it."""

    def begin(self, run: Run, group: Group, field: Field) -> list[Any]:
        executor, definition = run.executor, field.definition
        places = group.places.of_field(field)
        resolve = definition.resolve or executor.field_resolver
        if executor.middleware_manager:
            resolve = executor.middleware_manager.get_field_resolver(resolve)

        def resolved(source: Any, index: int) -> Any:  # noqa: ANN401 - whatever resolvers return
            info = run.info(field, places[index])
            first = field.details[0]
            given = (
                get_argument_values(
                    definition,
                    first.node,
                    executor.variable_values,
                    first.fragment_variable_values,
                    executor.hide_suggestions,
                )
                if definition.args or first.node.arguments
                else {}
            )
            return resolve(source, info, **given)

        return [attempt(resolved, source, index) for index, source in enumerate(group.sources)]


def source_of(executor: LevelExecutor, field: Field) -> Source:
    definition = field.definition
    if definition is TypeNameMetaFieldDef:
        return Constant(field.parent.name)
    if executor.middleware_manager and executor.middleware_manager.middlewares:
        return Resolved()
    if level := definition.extensions.get(LEVEL):
        return WholeLevel(level)
    strawberry = _of_strawberry(executor, definition)
    return (strawberry and _plain_source(strawberry, definition)) or Resolved()


def _of_strawberry(executor: LevelExecutor, definition: GraphQLField) -> StrawberryField | None:
    """The field, unless something stands between it and its resolver.

    That is an extension (permissions are), a handler of exceptions, or another resolver in its place.
    """
    field = definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    schema = executor.schema.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    own = getattr(definition.resolve, "__module__", None) == GraphQLCoreConverter.__module__
    if not isinstance(field, StrawberryField) or not own or field.extensions:
        return None
    return None if schema is None or schema.exception_handlers else field


def _plain_source(field: StrawberryField, definition: GraphQLField) -> Source | None:
    """None where the resolver is best called by Strawberry, which knows what it wants."""
    if level := field.metadata.get(LEVEL):
        return WholeLevel(level)
    resolver = field.base_resolver
    if resolver is None:
        if field.default_resolver is not getattr:
            return None
        is_leaf = is_leaf_type(get_named_type(definition.type))
        return Attribute(field.python_name, waits=not is_leaf)
    takes_object = resolver.self_parameter or resolver.parent_parameter or resolver.root_parameter
    function = cast("Callable[[Any], Any]", resolver.wrapped_func)
    if takes_object and len(inspect.signature(function).parameters) == 1:
        return Called(function)
    return None
