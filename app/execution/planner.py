"""Plans operations: which fields each type selects, and how each is resolved and completed."""

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
from app.execution.field_resolvers import resolver_for
from app.execution.introspection import ROOT_FIELDS, EncodedCompleter, IntrospectionResolver
from app.execution.plan import Field, SelectionPlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphql import Executor, GraphQLObjectType, GraphQLOutputType
    from graphql.execution.collect_fields import GroupedFieldSet

    from app.execution.plan import Completer

_MAX_PLANS = 4
_CONDITIONAL = (GraphQLSkipDirective.name, GraphQLIncludeDirective.name)
_INCREMENTAL = (GraphQLDeferDirective.name, GraphQLStreamDirective.name)


class PlanCache:
    """The root plans of one operation: one for each combination of its @skip and @include conditions."""

    def __init__(self) -> None:
        self.fields = 0
        """The planned fields of all selections, for the memory that they take."""
        self.on_growth: Callable[[Executor[Any], int], object] | None = None
        """Called with the number of fields that an executor has planned."""
        self._directives: _DirectiveVisitor | None = None
        self._plans: dict[tuple[Any, ...], SelectionPlan] = {}

    def root(self, executor: Executor[Any], type_: GraphQLObjectType) -> SelectionPlan | None:
        """Return the plan of the root type; None if the operation has @defer or @stream.

        Raises RecursionError when fragments are nested too deeply, and GraphQLError when a condition has no
        value.
        """
        directives = self._directives
        if directives is None:
            directives = self._directives = _DirectiveVisitor()
            for node in (executor.operation, *executor.fragment_definitions.values()):
                visit(node, directives)
        if directives.is_incremental:
            return None
        variables = executor.variable_values.coerced
        key = tuple(map(variables.get, directives.conditions))
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) == _MAX_PLANS:
                self._plans.clear()
                self.fields = 0
            collected = collect_fields(
                executor.schema,
                executor.fragments,
                executor.variable_values,
                type_,
                executor.operation,
                executor.hide_suggestions,
            )
            plan = self._plans[key] = _plan_fields(executor, type_, collected.grouped_field_set)
        return plan

    def add_fields(self, executor: Executor[Any], count: int) -> None:
        self.fields += count
        if self.on_growth is not None:
            self.on_growth(executor, count)


class _DirectiveVisitor(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.conditions: dict[str, None] = {}
        """The variables of @skip and @include, each once, in order."""
        self.is_incremental = False

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        if node.name.value in _INCREMENTAL:
            self.is_incremental = True
        if node.name.value in _CONDITIONAL:
            for argument in node.arguments or ():
                if isinstance(argument.value, VariableNode):
                    self.conditions[argument.value.name.value] = None


def _plan_selection(executor: Executor[Any], field: Field, type_: GraphQLObjectType) -> SelectionPlan:
    collected = collect_subfields(
        executor.schema,
        executor.fragments,
        executor.variable_values,
        executor.operation,
        type_,
        field.details,
        executor.hide_suggestions,
    )
    return _plan_fields(executor, type_, collected.grouped_field_set)


def _plan_fields(
    executor: Executor[Any], parent: GraphQLObjectType, grouped: GroupedFieldSet
) -> SelectionPlan:
    fields: list[Field] = []
    for key, details in grouped.items():
        definition = executor.schema.get_field(parent, details[0].node.name.value)
        # Fields that the schema does not have are omitted, as graphql-core does without validation.
        if definition is not None:
            field = Field(parent, definition, details, key, len(fields))
            if definition in ROOT_FIELDS and getattr(executor, "native_leaves", False):
                field.completer = EncodedCompleter(field, nullable=not is_non_null_type(definition.type))
                field.resolver = IntrospectionResolver()
            else:
                field.completer = _completer_for(executor, field, definition.type)
                field.resolver = resolver_for(executor, field)
            fields.append(field)
    executor.plans.add_fields(executor, len(fields))  # type: ignore[attr-defined] # of this package
    return SelectionPlan(fields)


def _completer_for(executor: Executor[Any], field: Field, type_: GraphQLOutputType) -> Completer:
    nullable = not is_non_null_type(type_)
    inner: Any = type_ if nullable else type_.of_type  # type: ignore[union-attr] # it is non-null
    if is_list_type(inner):
        return ListCompleter(field, _completer_for(executor, field, inner.of_type), nullable=nullable)
    if is_leaf_type(inner):
        native_leaves = getattr(executor, "native_leaves", False)
        return LeafCompleter(field, inner, nullable=nullable, native_leaves=native_leaves)
    completer = AbstractCompleter if is_abstract_type(inner) else ObjectCompleter
    return completer(field, inner, nullable=nullable, plan_selection=_plan_selection)
