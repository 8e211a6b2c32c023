"""Resolves fields, each for all objects of a layer at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from graphql import TypeNameMetaFieldDef, get_argument_values, get_nullable_type, is_leaf_type
from strawberry import ID
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import convert_argument
from strawberry.types.base import StrawberryMaybe, StrawberryOptional
from strawberry.types.field import StrawberryField

from app.execution.plan import CombinedColumn, FieldResolver, SerializedColumn
from app.execution.serializers import text_serializer_for
from app.execution.waiting import attempt, is_awaitable_type
from app.rows import Rows

if TYPE_CHECKING:
    from graphql import Executor, GraphQLField, GraphQLLeafType, GraphQLResolveInfo
    from strawberry import Info, Schema
    from strawberry.types.arguments import StrawberryArgument
    from strawberry.types.fields.resolver import StrawberryResolver

    from app.execution.plan import Execution, Field, Layer
    from app.execution.serializers import ColumnSerializer

BatchResolverFn: TypeAlias = Callable[[Sequence[Any], Any], Any]
"""Takes all objects of a layer and the operation's context; may be `async`. Returns for each object what a
resolver would return, awaitable or not, or the exception that it would raise."""

BATCH_RESOLVER = "batch_resolver"
"""The key of a BatchResolverFn in a field's extensions or, in Strawberry, in its metadata."""

_PLAIN_TYPES = (str, int, float, bool, ID)
_BACKREF = GraphQLCoreConverter.DEFINITION_BACKREF


class ConstantResolver(FieldResolver):
    """`__typename`: the plan knows the type."""

    can_return_awaitable = False

    def __init__(self, value: str) -> None:
        self._value = value

    def start(self, _: Execution, layer: Layer, __: Field) -> list[Any]:
        return [self._value] * len(layer.sources)


class AttributeResolver(FieldResolver):
    """Reads an attribute. If it is a leaf, of the type `leaf`, it is never awaited."""

    def __init__(self, name: str, leaf: GraphQLLeafType | None, *, nullable: bool) -> None:
        self._name = name
        self._read = attrgetter(name)
        self._leaf = leaf
        self._nullable = nullable
        self._text_serializers: dict[type, ColumnSerializer | None] = {}
        self.can_return_awaitable = leaf is None

    def start(self, _: Execution, layer: Layer, __: Field) -> Sequence[Any]:
        sources = layer.sources
        try:
            if type(sources) is Rows:
                return self._column(sources)
            return list(map(self._read, sources))
        except Exception:  # noqa: BLE001 - find out which of them fails
            return [attempt(self._read, source) for source in sources]

    def _column(self, rows: Rows[Any]) -> Sequence[Any]:
        text_type = rows.table.texts.get(self._name)
        if self._leaf is None or text_type is None:
            return rows.values(self._name)
        class_, _ = text_type
        if class_ not in self._text_serializers:
            self._text_serializers[class_] = text_serializer_for(self._leaf, class_)
        serialize, texts = self._text_serializers[class_], rows.stored(self._name)
        if serialize is None or (None in texts and not self._nullable):
            return rows.values(self._name)
        return SerializedColumn(serialize(texts))


class ParentResolver(FieldResolver):
    """Calls a resolver that takes the object alone."""

    def __init__(self, resolver: Callable[[Any], Any]) -> None:
        self._resolver = resolver
        self.is_async = inspect.iscoroutinefunction(resolver)

    def start(self, _: Execution, layer: Layer, __: Field) -> list[Any]:
        return [attempt(self._resolver, source) for source in layer.sources]


class DirectResolver(FieldResolver):
    """Calls a Strawberry resolver that takes `Info` or arguments. Its signature is inspected once."""

    requires_request_context = True

    def __init__(self, field: StrawberryField, resolver: StrawberryResolver[Any], schema: Schema) -> None:
        self._field = field
        self._schema = schema
        self._resolver = cast("Callable[..., Any]", resolver.wrapped_func)
        self.is_async = inspect.iscoroutinefunction(self._resolver)
        self._takes_self = resolver.self_parameter is not None
        self._source_parameters = [p.name for p in (resolver.parent_parameter, resolver.root_parameter) if p]
        self._info_parameters = [p.name for p in (resolver.info_parameter,) if p]
        self._arguments = {
            schema.config.name_converter.from_argument(argument): (argument, _is_plain(argument))
            for argument in field.arguments
        }

    def start(self, execution: Execution, layer: Layer, field: Field) -> list[Any]:
        arguments = attempt(_argument_values, execution.executor, field)
        if isinstance(arguments, Exception):
            return [arguments] * len(layer.sources)
        paths = layer.paths.for_field(field)
        return [
            attempt(self._call, execution.resolve_info(field, paths[index]), source, arguments)
            for index, source in enumerate(layer.sources)
        ]

    def _call(self, core_info: GraphQLResolveInfo[Any], source: Any, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever resolvers take and return
        info = self._schema.config.info_class(core_info, self._field)
        kwargs = dict.fromkeys(self._source_parameters, source) | dict.fromkeys(self._info_parameters, info)
        for name, value in arguments.items():
            argument, is_plain = self._arguments[name]
            kwargs[argument.python_name] = value if is_plain else self._convert(argument, value, info, name)
        return self._resolver(source, **kwargs) if self._takes_self else self._resolver(**kwargs)

    def _convert(self, argument: StrawberryArgument, value: Any, info: Info, name: str) -> Any:  # noqa: ANN401 - any input
        registry, config = self._schema.schema_converter.scalar_registry, self._schema.config
        return convert_argument(value, argument.type, registry, config, info, path=(name,))


def _is_plain(argument: StrawberryArgument) -> bool:
    """Whether Strawberry passes coerced values on unchanged."""
    type_ = argument.type
    if isinstance(type_, StrawberryOptional) and not isinstance(type_, StrawberryMaybe):
        type_ = type_.of_type
    return type_ in _PLAIN_TYPES


class BatchResolver(FieldResolver):
    """Calls one function for all objects. Its result may be awaited as a whole, or value by value."""

    is_async = True

    def __init__(self, resolve: BatchResolverFn) -> None:
        self._resolve = resolve

    def start(self, execution: Execution, layer: Layer, _: Field) -> Sequence[Any]:
        result = attempt(self._resolve, layer.sources, execution.executor.context_value)
        column = CombinedColumn([result])
        is_awaitable = is_awaitable_type(type(result))  # type: ignore[arg-type] # a class is hashable
        return column if is_awaitable else column.split(len(layer.sources))


class FallbackResolver(FieldResolver):
    """Calls any resolver as graphql-core does."""

    is_async = True
    requires_request_context = True

    def start(self, execution: Execution, layer: Layer, field: Field) -> list[Any]:
        executor, definition = execution.executor, field.definition
        paths = layer.paths.for_field(field)
        resolve = definition.resolve or executor.field_resolver
        if executor.middleware_manager:
            resolve = executor.middleware_manager.get_field_resolver(resolve)

        def call(source: Any, index: int) -> Any:  # noqa: ANN401 - whatever resolvers take and return
            info = execution.resolve_info(field, paths[index])
            return resolve(source, info, **_argument_values(executor, field))

        return [attempt(call, source, index) for index, source in enumerate(layer.sources)]


def _argument_values(executor: Executor[Any], field: Field) -> dict[str, Any]:
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


def resolver_for(executor: Executor[Any], field: Field) -> FieldResolver:
    """Return the cheapest resolver that gives the same values as graphql-core."""
    definition = field.definition
    if definition is TypeNameMetaFieldDef:
        return ConstantResolver(field.parent.name)
    if executor.middleware_manager and executor.middleware_manager.middlewares:
        return FallbackResolver()
    if resolve := definition.extensions.get(BATCH_RESOLVER):
        return BatchResolver(resolve)
    strawberry_field = _plain_strawberry_field(executor, definition)
    if strawberry_field is None:
        return FallbackResolver()
    return _strawberry_resolver(executor, strawberry_field, definition)


def _plain_strawberry_field(executor: Executor[Any], definition: GraphQLField) -> StrawberryField | None:
    """Return the Strawberry field, or None if anything stands between it and its resolver.

    That is an extension (permissions are extensions), an exception handler, or a replaced resolver.
    """
    field = definition.extensions.get(_BACKREF)
    schema = executor.schema.extensions.get(_BACKREF)
    is_strawberrys = getattr(definition.resolve, "__module__", None) == GraphQLCoreConverter.__module__
    # Events of a subscription are not resolved by the field's own resolver.
    if (
        not isinstance(field, StrawberryField)
        or not is_strawberrys
        or field.extensions
        or definition.subscribe
    ):
        return None
    return None if schema is None or schema.exception_handlers else field


def _strawberry_resolver(
    executor: Executor[Any], field: StrawberryField, definition: GraphQLField
) -> FieldResolver:
    if resolve := field.metadata.get(BATCH_RESOLVER):
        return BatchResolver(resolve)
    resolver = field.base_resolver
    if resolver is None:
        if field.default_resolver is not getattr:
            return FallbackResolver()
        type_ = get_nullable_type(definition.type)
        return AttributeResolver(
            field.python_name,
            type_ if is_leaf_type(type_) else None,
            nullable=type_ is definition.type,
        )
    takes_source = resolver.self_parameter or resolver.parent_parameter or resolver.root_parameter
    function = cast("Callable[[Any], Any]", resolver.wrapped_func)
    if takes_source and len(inspect.signature(function).parameters) == 1:
        return ParentResolver(function)
    return DirectResolver(field, resolver, executor.schema.extensions[_BACKREF])
