"""Measures how large an operation is, from its text alone.

Each fragment is measured once, however often it is spread, so the time grows with the length of the text and
not with the number of fields that it expands to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from app.graphql.pagination import DEFAULT_PAGE, MAX_PAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import (
        DocumentNode,
        GraphQLNamedType,
        GraphQLSchema,
        SelectionNode,
        SelectionSetNode,
        ValueNode,
    )

_OBJECT_COST = 2
_SCALAR_COST = 1
_AGGREGATE_COST = 500
_AGGREGATE_TYPES = ("Statistics",)
"""Each of their fields reads every row of a period, however short its result is."""
_INTROSPECTION = ("__schema", "__type")
_TYPES_WITH_FIELDS = (GraphQLObjectType, GraphQLInterfaceType)
_MAX_DIGITS = len(str(MAX_PAGE))


@dataclass(slots=True)
class Complexity:
    """The size of a selection set with its fragments expanded."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    width: int = 0  # fields of the selection set itself, without nested ones
    cost: int = 0
    row_cost: int = 0  # of a connection: the cost of `nodes` and `edges` per row

    def add(self, other: Complexity) -> None:
        """Add a selection that is in the same selection set."""
        self.depth = max(self.depth, other.depth)
        self.fields += other.fields
        self.aliases += other.aliases
        self.directives += other.directives
        self.width += other.width
        self.cost += other.cost
        self.row_cost += other.row_cost


class ComplexityVisitor:
    """Measures the operations of one document."""

    def __init__(
        self, document: DocumentNode, schema: GraphQLSchema, pages: Mapping[str, int], *, assumed_list: int
    ) -> None:
        """`pages` are the page sizes that the variables request, by variable name."""
        self._schema = schema
        self._pages = pages
        self._assumed_list = assumed_list
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._measured: dict[str, Complexity] = {}
        self.names: set[str] = set()
        """The names of all fields measured so far."""

    def operation(self, node: OperationDefinitionNode) -> Complexity:
        size = self._selection_set(node.selection_set, self._schema.get_root_type(node.operation))
        size.directives += len(node.directives or ())
        size.directives += sum(len(v.directives or ()) for v in node.variable_definitions or ())
        return size

    def _selection_set(self, selection_set: SelectionSetNode, type_: GraphQLNamedType | None) -> Complexity:
        size = Complexity()
        for node in selection_set.selections:
            size.directives += len(node.directives or ())
            size.add(self._selection(node, type_))
        return size

    def _selection(self, node: SelectionNode, type_: GraphQLNamedType | None) -> Complexity:
        if isinstance(node, FieldNode):
            return self._field(node, type_)
        if isinstance(node, InlineFragmentNode):
            if node.type_condition:
                type_ = self._schema.get_type(node.type_condition.name.value)
            return self._selection_set(node.selection_set, type_)
        assert isinstance(node, FragmentSpreadNode)  # noqa: S101 - GraphQL has no other selection
        return self._fragment(node.name.value)

    def _fragment(self, name: str) -> Complexity:
        definition = self._fragments.get(name)
        if definition is None:
            return Complexity()
        if name not in self._measured:
            # A fragment counts as empty within itself: validation rejects cycles.
            self._measured[name] = Complexity()
            type_ = self._schema.get_type(definition.type_condition.name.value)
            size = self._selection_set(definition.selection_set, type_)
            size.directives += len(definition.directives or ())
            self._measured[name] = size
        return self._measured[name]

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Complexity:
        name = node.name.value
        self.names.add(name)
        type_, is_list = _field_type(parent, name)
        if node.selection_set is None:
            nested, value_cost = Complexity(), _SCALAR_COST
        else:
            nested = self._selection_set(node.selection_set, type_)
            value_cost = _OBJECT_COST + nested.cost
            if nested.row_cost:
                value_cost += self._page_size(node) * nested.row_cost
        type_name = "" if parent is None else parent.name
        base_cost = _AGGREGATE_COST if type_name in _AGGREGATE_TYPES and name != "__typename" else 0
        is_row_list = is_list and type_name.endswith("Connection")
        return Complexity(
            depth=1 if name in _INTROSPECTION else nested.depth + 1,
            fields=nested.fields + 1,
            aliases=nested.aliases + (node.alias is not None),
            directives=nested.directives,
            width=1,
            cost=0 if is_row_list else base_cost + value_cost * (self._assumed_list if is_list else 1),
            row_cost=value_cost if is_row_list else 0,
        )

    def _page_size(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value == "first":
                if isinstance(argument.value, VariableNode):
                    return self._pages.get(argument.value.name.value, DEFAULT_PAGE)
                return page_size(argument.value)
        return DEFAULT_PAGE


def _field_type(parent: GraphQLNamedType | None, name: str) -> tuple[GraphQLNamedType | None, bool]:
    """Return the named type of a field, None if validation rejects it, and whether the field is a list."""
    if not isinstance(parent, _TYPES_WITH_FIELDS) or (field := parent.fields.get(name)) is None:
        return None, False
    # The lists of introspection are free: the whole schema is a single, constant response.
    is_list = is_list_type(get_nullable_type(field.type)) and not parent.name.startswith("__")
    return get_named_type(field.type), is_list


def page_sizes(operation: OperationDefinitionNode, variables: Mapping[str, object]) -> dict[str, int]:
    """Return the page size that each variable would request, whether or not it is used for one."""
    return {
        (name := definition.variable.name.value): page_size(variables.get(name, definition.default_value))
        for definition in operation.variable_definitions or ()
    }


def page_size(value: ValueNode | object) -> int:
    """Return the page size that a value of `first` requests: MAX_PAGE or 0 if the field will reject it."""
    if isinstance(value, IntValueNode):
        # Python refuses to parse an integer of thousands of digits.
        value = int(value.value) if len(value.value) <= _MAX_DIGITS else MAX_PAGE
    if not isinstance(value, int | float) or isinstance(value, bool):
        return DEFAULT_PAGE
    return int(min(value, MAX_PAGE)) if value > 0 else 0
