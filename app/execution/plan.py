"""What an operation asks for of each type, worked out once and kept for all its executions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import (
    DirectiveNode,
    GraphQLDeferDirective,
    GraphQLIncludeDirective,
    GraphQLSkipDirective,
    GraphQLStreamDirective,
    VariableNode,
    Visitor,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    visit,
)
from graphql.execution.collect_fields import collect_fields, collect_subfields

from app.execution.completion import AbstractCompleter, LeafCompleter, ListCompleter, ObjectCompleter
from app.execution.field_resolvers import AttributeResolver, attribute_reader, resolver_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graphql import FieldNode, GraphQLField, GraphQLObjectType, GraphQLOutputType
    from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet

    from app.execution.completion import Completer
    from app.execution.executor import BreadthFirstExecutor
    from app.execution.run import Execution, Layer

_MOST_PLANS = 4
_CONDITIONS = (GraphQLSkipDirective.name, GraphQLIncludeDirective.name)
_INCREMENTAL = (GraphQLDeferDirective.name, GraphQLStreamDirective.name)


class Field:
    """One field of a selection: where its values come from, and what becomes of them."""

    def __init__(
        self,
        executor: BreadthFirstExecutor,
        parent: GraphQLObjectType,
        definition: GraphQLField,
        details: FieldDetailsList,
        *,
        key: str,
        index: int,
    ) -> None:
        self.parent = parent
        self.definition = definition
        self.key = key
        self.index = index
        self.details = details
        self.nodes: list[FieldNode] = [each.node for each in details]
        self.completer = self._kind_of(definition.type)
        self.resolver = resolver_for(executor, self)

    def _kind_of(self, type_: GraphQLOutputType) -> Completer:
        nullable = not is_non_null_type(type_)
        inner: Any = type_ if nullable else type_.of_type  # type: ignore[union-attr] # it is non-null
        if is_list_type(inner):
            return ListCompleter(self, self._kind_of(inner.of_type), nullable=nullable)
        if is_leaf_type(inner):
            return LeafCompleter(self, inner, nullable=nullable)
        return (AbstractCompleter if is_abstract_type(inner) else ObjectCompleter)(
            self, inner, nullable=nullable
        )

    def selection(self, executor: BreadthFirstExecutor, type_: GraphQLObjectType) -> SelectionPlan:
        """What is asked of a value of the type."""
        collected = collect_subfields(
            executor.schema,
            executor.fragments,
            executor.variable_values,
            executor.operation,
            type_,
            self.details,
            executor.hide_suggestions,
        )
        return _selection(executor, type_, collected.grouped_field_set)


class SelectionPlan:
    """Fields that are asked for of objects of one type, in the order of the answer."""

    def __init__(self, fields: list[Field]) -> None:
        self.fields = fields
        self.is_batchable = not any(field.resolver.is_async for field in fields)
        """Whether company.py does not serve it: nobody shall wait for what another began at the root."""
        self.requires_request_context = any(field.resolver.requires_request_context for field in fields)
        self.response_keys = [field.key for field in fields]
        self.attribute_fields: list[tuple[int, Field]] = []
        """Fields that are plain attributes, and their indices: all of an object are read with one call."""
        self.resolved_fields: list[tuple[int, Field]] = []
        for index, field in enumerate(fields):
            is_plain = (
                isinstance(field.resolver, AttributeResolver) and not field.resolver.can_return_awaitable
            )
            (self.attribute_fields if is_plain else self.resolved_fields).append((index, field))
        self.awaitable_columns = [
            index
            for index, (_, field) in enumerate(self.resolved_fields)
            if field.resolver.can_return_awaitable
        ]
        """Those of the others of which there may be something to await."""
        self._read = attribute_reader([field.resolver.name for _, field in self.attribute_fields])  # type: ignore[attr-defined] # see above

    def read_attributes(self, run: Execution, group: Layer) -> Iterable[Sequence[Any]]:
        """A column for each of `leaves`."""
        try:
            return self._read(group.sources)
        except Exception:  # noqa: BLE001 - one of them fails; the others may not
            return [field.resolver.start(run, group, field) for _, field in self.attribute_fields]

    def split_fields(self) -> list[SelectionPlan]:
        """A selection for each field, as mutations are executed."""
        return [SelectionPlan([field]) for field in self.fields]


def _selection(
    executor: BreadthFirstExecutor, parent: GraphQLObjectType, grouped: GroupedFieldSet
) -> SelectionPlan:
    definitions = {
        key: executor.schema.get_field(parent, details[0].node.name.value) for key, details in grouped.items()
    }
    # What the schema does not have is left out, as graphql-core does with what was not validated.
    return SelectionPlan(
        [
            Field(executor, parent, definition, grouped[key], key=key, index=index)
            for index, (key, definition) in enumerate(definitions.items())
            if definition is not None
        ]
    )


def plan_root(executor: BreadthFirstExecutor, root: GraphQLObjectType) -> SelectionPlan:
    """Raises RecursionError for fragments within fragments beyond reason."""
    collected = collect_fields(
        executor.schema,
        executor.fragments,
        executor.variable_values,
        root,
        executor.operation,
        executor.hide_suggestions,
    )
    return _selection(executor, root, collected.grouped_field_set)


class PlanCache:
    """Of one operation: a plan, known by its root, for each way that its @skip and @include may turn out."""

    def __init__(self) -> None:
        self._directives: _Directives | None = None
        self._roots: dict[tuple[Any, ...], SelectionPlan] = {}

    def root(self, executor: BreadthFirstExecutor, type_: GraphQLObjectType) -> SelectionPlan | None:
        """None where a part is to come later, which no plan can tell.

        Raises RecursionError, and GraphQLError where a condition cannot be told.
        """
        directives = self._directives
        if directives is None:
            directives = self._directives = _Directives()
            for node in (executor.operation, *executor.fragment_definitions.values()):
                visit(node, directives)
        if directives.incremental:
            return None
        given = executor.variable_values.coerced
        key = tuple(map(given.get, directives.conditions))
        selection = self._roots.get(key)
        if selection is None:
            selection = plan_root(executor, type_)
            if len(self._roots) >= _MOST_PLANS:
                del self._roots[next(iter(self._roots))]
            self._roots[key] = selection
        return selection


class _Directives(Visitor):
    """What the directives of an operation and its fragments make of it."""

    def __init__(self) -> None:
        super().__init__()
        self.conditions: dict[str, None] = {}
        """The variables of @skip and @include, each once, in order."""
        self.incremental = False

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        if node.name.value in _INCREMENTAL:
            self.incremental = True
        if node.name.value in _CONDITIONS:
            for argument in node.arguments or ():
                if isinstance(argument.value, VariableNode):
                    self.conditions[argument.value.name.value] = None
