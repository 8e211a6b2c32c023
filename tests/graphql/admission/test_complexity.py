"""Measuring each fragment once has the same result as expanding the fragments."""

from typing import Any

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
)
from hypothesis import given
from hypothesis import strategies as st

from app.graphql.admission.complexity import Complexity, ComplexityVisitor, page_sizes
from app.graphql.schema import build_schema

SCHEMA = build_schema()._schema
FRAGMENTS = 4
DIRECTIVE = " @skip(if: false)"


def measure(document: DocumentNode, **variables: Any) -> Complexity:
    [operation] = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    visitor = ComplexityVisitor(document, SCHEMA, page_sizes(operation, variables), assumed_list=10)
    return visitor.operation(operation)


def cost(query: str, **variables: Any) -> int:
    return measure(parse(query), **variables).cost


def directives() -> st.SearchStrategy[str]:
    return st.sampled_from(["", "", DIRECTIVE])


def fields(nested: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "", "a: ", "b: "]),
        st.sampled_from(["id", "ticket", "assignmentHistory", "nodes", "unknown"]),
        directives(),
        st.one_of(st.just(""), nested),
    )


def selections(fragment_names: list[str]) -> st.SearchStrategy[str]:
    """Selection sets that may spread these fragments."""

    def nest(nested: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        selection = st.one_of(
            fields(nested), st.builds("...{} {}".format, st.sampled_from(["", " on Ticket"]), nested)
        )
        if fragment_names:
            selection |= st.builds("...{}{}".format, st.sampled_from(fragment_names), directives())
        return st.lists(selection, min_size=1, max_size=3).map(lambda each: "{ " + " ".join(each) + " }")

    return st.recursive(nest(st.just("{ id }")), nest, max_leaves=4)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A query with fragments that spread only later ones, so that there are no cycles."""
    names = [f"F{i}" for i in range(FRAGMENTS)]
    fragments = [
        f"fragment {name} on Ticket{draw(directives())} {draw(selections(names[i + 1 :]))}"
        for i, name in enumerate(names)
    ]
    return f"query{draw(directives())} {draw(selections(names))}" + " ".join(fragments)


class Naive:
    """Counts by walking every path."""

    def __init__(self, document: DocumentNode) -> None:
        self.fragments = {
            d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)
        }
        [operation] = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
        self.depth = self.fields = self.aliases = self.width = 0
        self.directives = len(operation.directives or ())
        self.walk(operation.selection_set, 1)

    def walk(self, selection_set: SelectionSetNode, depth: int) -> None:
        for node in selection_set.selections:
            self.directives += len(node.directives or ())
            if isinstance(node, FieldNode):
                self.fields += 1
                self.aliases += node.alias is not None
                self.width += depth == 1
                self.depth = max(self.depth, depth)
                if node.selection_set:
                    self.walk(node.selection_set, depth + 1)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self.fragments[node.name.value]
                self.directives += len(fragment.directives or ())
                self.walk(fragment.selection_set, depth)
            else:
                self.walk(node.selection_set, depth)


@given(documents())
def test_the_counts_are_those_of_expanded_fragments(text):
    document = parse(text)
    size, naive = measure(document), Naive(document)
    for name in ("depth", "fields", "aliases", "width", "directives"):
        assert getattr(size, name) == getattr(naive, name), name


@pytest.mark.parametrize(
    ("query", "points"),
    [
        ("{ viewer { role } }", 2 + 1),
        ("{ __typename }", 1),
        ("{ tickets(first: 3) { totalCount } }", 2 + 500 + 1),
        ("{ tickets(first: 3) { nodes { id } totalCount } }", 2 + 3 * (2 + 1) + 500 + 1),
        ("{ engineers { ... { totalCount } } }", 2 + 500 + 1),
        ("{ billableTime { currency totals { lines } lines { totalCount } } }", 2 + 1 + 502 + 1 + 2 + 501),
        ("{ viewer { engineer { assignments { totalCount } } } }", 2 + 2 + 2 + 20 + 1),
        ("{ statistics { engineers { totalCount } } }", 2 + 500 + 2 + 1),
        ("{ tickets(first: 3) { edges { cursor node { id } } } }", 2 + 3 * (2 + 1 + 2 + 1)),
        ("{ tickets(first: 3) { ...P } } fragment P on TicketConnection { nodes { id } }", 2 + 3 * (2 + 1)),
        ("{ tickets(first: 3) { ... { nodes { id } } } }", 2 + 3 * (2 + 1)),
        ("{ engineer(id: 1) { skills } }", 2 + 10),
        ("{ ticket(id: 1) { assignmentHistory { id } } }", 2 + 10 * (2 + 1)),
        ("{ ticket(id: 1) { timeByEngineer { engineer { skills } } } }", 2 + 10 * (2 + 2 + 10)),
        ("{ ticket(id: 1) { currentAssignment { partsUsed { cost } } } }", 2 + 2 + 10 * (2 + 1)),
        (
            "{ engineers(first: 4) { nodes { assignments(first: 5) { nodes { id } } } } }",
            2 + 4 * (2 + 2 + 5 * 3),
        ),
        ("{ tickets(first: 1000) { nodes { id } } }", 2 + 100 * 3),
        ("{ tickets(first: -1) { nodes { id } } }", 2),
        ("{ tickets: viewer { role } }", 2 + 1),
        ("{ statistics { __typename tickets { escalated } } }", 2 + 1 + 500 + 2 + 1),
        ("{ statistics { ... on Statistics { outcomes { status } } } }", 2 + 500 + 10 * (2 + 1)),
        ("{ statistics { engineers(first: 3) { nodes { completed } } } }", 2 + 500 + 2 + 3 * (2 + 1)),
        ("{ __schema { types { name } } }", 2 + len(SCHEMA.type_map) * (2 + 1)),
        ("{ __schema { directives { name } } }", 2 + len(SCHEMA.directives) * (2 + 1)),
    ],
)
def test_the_cost_of(query, points):
    assert cost(query) == points


@pytest.mark.parametrize(
    ("first", "rows"),
    [
        (7, 7),
        (7.0, 7),
        (0, 0),
        (-3, 0),
        (2**63, 100),
        (1e300, 100),
        (float("nan"), 0),
        (None, 25),
        ("7", 25),
        (True, 25),
    ],
)
def test_a_page_size_in_a_variable_is_that_of_the_field(first, rows):
    query = "query ($first: Int = 9) { tickets(first: $first) { nodes { id } } }"
    assert cost(query, first=first) == 2 + rows * 3
    assert cost(query) == 2 + 9 * 3
    assert cost(query.replace(" = 9", "")) == 2 + 25 * 3


def test_cyclic_fragments_count_once():
    cyclic = "{ ...A } fragment A on Query { viewer { role } ...B } fragment B on Query { ...A ...Unknown }"
    assert measure(parse(cyclic)).fields == 2


def test_introspection_counts_as_one_level():
    deep = "{ __schema { types { fields { type { ofType { ofType { name } } } } } } viewer { role } }"
    assert measure(parse(deep)).depth == 2


def test_the_cost_of_nested_introspection_is_finite():
    """Floats end at 1e308."""
    fragments = [
        f"fragment F{i} on __Type {{ possibleTypes {{ name {f'...F{i + 1} ' * 500} }} }}" for i in range(130)
    ]
    query = '{ __type(name: "Ticket") { ...F0 } }' + " ".join(fragments)
    assert cost(query) > 10**12
