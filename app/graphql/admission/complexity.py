"""How large an operation is, told from its text alone.

Each fragment is measured once, however often it is spread, so the time grows with the text and not with what
the text stands for.
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
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from app.graphql.pagination import DEFAULT_PAGE, MAX_PAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import DocumentNode, SelectionNode, SelectionSetNode, ValueNode

_OBJECT = 2
_SCALAR = 1
_FIGURE = 500
_OF_FIGURES = ("Statistics",)
"""Types whose every field reads all that happened in a period, however short its answer is."""
_INTROSPECTION = ("__schema", "__type")
_DIGITS = len(str(MAX_PAGE))


@dataclass(slots=True)
class Complexity:
    """What a selection asks for, its fragments written out."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    width: int = 0  # fields of the selection itself, not of those inside
    cost: int = 0
    row_cost: int = 0  # of a connection: what `nodes` and `edges` cost for each row

    def add(self, other: Complexity) -> None:
        """Both side by side, as if written in one selection."""
        self.depth = max(self.depth, other.depth)
        self.fields += other.fields
        self.aliases += other.aliases
        self.directives += other.directives
        self.width += other.width
        self.cost += other.cost
        self.row_cost += other.row_cost


class FieldShape(NamedTuple):
    """What the cost of a field depends on."""

    of: str | None
    many: bool = False


_UNKNOWN = FieldShape(None)  # validation refuses the field


class FieldIndex:
    """Every field of a schema, by the names of its type and itself."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self.roots = {operation: root.name for operation, root in _roots(schema).items() if root is not None}
        self._of = {
            (kind.name, name): FieldShape(
                get_named_type(field.type).name, is_list_type(get_nullable_type(field.type))
            )
            for kind in schema.type_map.values()
            # The lists of introspection are free: the whole schema is one answer, always the same.
            if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) and not kind.name.startswith("__")
            for name, field in kind.fields.items()
        }

    def of(self, kind: str | None, field: str) -> FieldShape:
        return _UNKNOWN if kind is None else self._of.get((kind, field), _UNKNOWN)


def _roots(schema: GraphQLSchema) -> dict[str, GraphQLObjectType | None]:
    return {
        "query": schema.query_type,
        "mutation": schema.mutation_type,
        "subscription": schema.subscription_type,
    }


class ComplexityVisitor:
    """Measures the operations of one document."""

    def __init__(
        self, document: DocumentNode, shapes: FieldIndex, pages: Mapping[str, int], *, assumed_list: int
    ) -> None:
        """`pages` are the values of the variables that may be given to `first`."""
        self._shapes = shapes
        self._pages = pages
        self._assumed_list = assumed_list
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._measured: dict[str, Complexity] = {}
        self.names: set[str] = set()
        """Of all fields measured so far."""

    def operation(self, node: OperationDefinitionNode) -> Complexity:
        size = self._selection(node.selection_set, self._shapes.roots.get(node.operation.value))
        size.directives += len(node.directives or ())
        size.directives += sum(len(v.directives or ()) for v in node.variable_definitions or ())
        return size

    def _selection(self, selected: SelectionSetNode, kind: str | None) -> Complexity:
        size = Complexity()
        for node in selected.selections:
            size.directives += len(node.directives or ())
            size.add(self._part(node, kind))
        return size

    def _part(self, node: SelectionNode, kind: str | None) -> Complexity:
        if isinstance(node, FieldNode):
            return self._field(node, kind)
        if isinstance(node, InlineFragmentNode):
            return self._selection(
                node.selection_set, node.type_condition.name.value if node.type_condition else kind
            )
        assert isinstance(node, FragmentSpreadNode)  # noqa: S101 - GraphQL has no fourth
        return self._fragment(node.name.value)

    def _fragment(self, name: str) -> Complexity:
        definition = self._fragments.get(name)
        if definition is None:
            return Complexity()
        if name not in self._measured:
            # Within itself a fragment counts nothing: validation refuses a circle.
            self._measured[name] = Complexity()
            size = self._selection(definition.selection_set, definition.type_condition.name.value)
            size.directives += len(definition.directives or ())
            self._measured[name] = size
        return self._measured[name]

    def _field(self, node: FieldNode, kind: str | None) -> Complexity:
        self.names.add(node.name.value)
        shape = self._shapes.of(kind, node.name.value)
        if node.selection_set is None:
            inside, each = Complexity(), _SCALAR
        else:
            inside = self._selection(node.selection_set, shape.of)
            each = _OBJECT + inside.cost
            if inside.row_cost:
                each += self._page(node) * inside.row_cost
        figure = _FIGURE if kind in _OF_FIGURES and node.name.value != "__typename" else 0
        of_connection = shape.many and kind is not None and kind.endswith("Connection")
        return Complexity(
            depth=1 if node.name.value in _INTROSPECTION else inside.depth + 1,
            fields=inside.fields + 1,
            aliases=inside.aliases + (node.alias is not None),
            directives=inside.directives,
            width=1,
            cost=0 if of_connection else figure + each * (self._assumed_list if shape.many else 1),
            row_cost=each if of_connection else 0,
        )

    def _page(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value == "first":
                if isinstance(argument.value, VariableNode):
                    return self._pages.get(argument.value.name.value, DEFAULT_PAGE)
                return page_size(argument.value)
        return DEFAULT_PAGE


def page_sizes(operation: OperationDefinitionNode, variables: Mapping[str, object]) -> dict[str, int]:
    """The page that each variable would ask for, whatever it is meant for: not all of them are numbers."""
    pages = {}
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        pages[name] = page_size(variables.get(name, definition.default_value))
    return pages


def page_size(value: ValueNode | object) -> int:
    """As the list will read it. What it will refuse counts as the most or as nothing."""
    if isinstance(value, IntValueNode):
        # Python refuses to read a number of thousands of digits.
        value = int(value.value) if len(value.value) <= _DIGITS else MAX_PAGE
    if not isinstance(value, int | float) or isinstance(value, bool):
        return DEFAULT_PAGE
    return int(min(value, MAX_PAGE)) if value > 0 else 0
