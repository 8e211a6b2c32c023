"""Measures how large an operation is, from its text alone.

Each fragment is measured once, however often it is spread, so the time grows with the length of the text and
not with the number of fields that it expands to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from app.graphql.pagination import DEFAULT_PAGE, MAX_PAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import DocumentNode, SelectionNode, SelectionSetNode, ValueNode

_OBJECT_COST = 2
_SCALAR_COST = 1
_AGGREGATE_COST = 500
_AGGREGATE_TYPES = ("Statistics",)
"""Each of their fields reads every row of a period, however short its result is."""
_INTROSPECTION = ("__schema", "__type")
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


class FieldShape(NamedTuple):
    """What the cost of a field depends on."""

    type_name: str | None
    is_list: bool = False


_UNKNOWN = FieldShape(None)  # validation rejects the field


class FieldIndex:
    """The shape of every field of a schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        roots = ((operation, schema.get_root_type(operation)) for operation in OperationType)
        self.roots = {operation: root.name for operation, root in roots if root is not None}
        self._shapes = {
            (type_.name, name): FieldShape(
                get_named_type(field.type).name, is_list_type(get_nullable_type(field.type))
            )
            for type_ in schema.type_map.values()
            # The lists of introspection are free: the whole schema is a single, constant response.
            if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) and not type_.name.startswith("__")
            for name, field in type_.fields.items()
        }

    def shape(self, type_name: str | None, field_name: str) -> FieldShape:
        return _UNKNOWN if type_name is None else self._shapes.get((type_name, field_name), _UNKNOWN)


class ComplexityVisitor:
    """Measures the operations of one document."""

    def __init__(
        self, document: DocumentNode, index: FieldIndex, pages: Mapping[str, int], *, assumed_list: int
    ) -> None:
        """`pages` are the page sizes that the variables request, by variable name."""
        self._index = index
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
        size = self._selection_set(node.selection_set, self._index.roots.get(node.operation))
        size.directives += len(node.directives or ())
        size.directives += sum(len(v.directives or ()) for v in node.variable_definitions or ())
        return size

    def _selection_set(self, selection_set: SelectionSetNode, type_name: str | None) -> Complexity:
        size = Complexity()
        for node in selection_set.selections:
            size.directives += len(node.directives or ())
            size.add(self._selection(node, type_name))
        return size

    def _selection(self, node: SelectionNode, type_name: str | None) -> Complexity:
        if isinstance(node, FieldNode):
            return self._field(node, type_name)
        if isinstance(node, InlineFragmentNode):
            condition = node.type_condition
            return self._selection_set(node.selection_set, condition.name.value if condition else type_name)
        assert isinstance(node, FragmentSpreadNode)  # noqa: S101 - GraphQL has no other selection
        return self._fragment(node.name.value)

    def _fragment(self, name: str) -> Complexity:
        definition = self._fragments.get(name)
        if definition is None:
            return Complexity()
        if name not in self._measured:
            # A fragment counts as empty within itself: validation rejects cycles.
            self._measured[name] = Complexity()
            size = self._selection_set(definition.selection_set, definition.type_condition.name.value)
            size.directives += len(definition.directives or ())
            self._measured[name] = size
        return self._measured[name]

    def _field(self, node: FieldNode, type_name: str | None) -> Complexity:
        name = node.name.value
        self.names.add(name)
        shape = self._index.shape(type_name, name)
        if node.selection_set is None:
            nested, value_cost = Complexity(), _SCALAR_COST
        else:
            nested = self._selection_set(node.selection_set, shape.type_name)
            value_cost = _OBJECT_COST + nested.cost
            if nested.row_cost:
                value_cost += self._page_size(node) * nested.row_cost
        base_cost = _AGGREGATE_COST if type_name in _AGGREGATE_TYPES and name != "__typename" else 0
        is_row_list = shape.is_list and type_name is not None and type_name.endswith("Connection")
        return Complexity(
            depth=1 if name in _INTROSPECTION else nested.depth + 1,
            fields=nested.fields + 1,
            aliases=nested.aliases + (node.alias is not None),
            directives=nested.directives,
            width=1,
            cost=0 if is_row_list else base_cost + value_cost * (self._assumed_list if shape.is_list else 1),
            row_cost=value_cost if is_row_list else 0,
        )

    def _page_size(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value == "first":
                if isinstance(argument.value, VariableNode):
                    return self._pages.get(argument.value.name.value, DEFAULT_PAGE)
                return page_size(argument.value)
        return DEFAULT_PAGE


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
