"""Variables are coerced as graphql-core does: the same values, and the same errors."""

from typing import Any

import pytest
from graphql import OperationDefinitionNode, VariableValues, build_schema, get_variable_values, parse
from hypothesis import given
from hypothesis import strategies as st

from app.execution.variables import VariableCoercer

SCHEMA = build_schema("""
    type Query { field(id: ID, n: Int!, order: Order, orders: [Order!], paint: [Colour]): String }
    enum Colour { RED GREEN }
    input Order { name: String! pieces: Int = 1 colour: Colour parts: [Order!] }
""")
DECLARED = "$id: ID, $n: Int!, $order: Order, $orders: [Order!], $paint: [Colour]"
OPERATIONS = {
    "plain": f"query ({DECLARED}) {{ field(id: $id, n: $n) }}",
    "default": "query ($n: Int! = 7, $order: Order) { field(n: $n, order: $order) }",
    "unknown type": "query ($n: Int!, $order: Nothing) { field(n: $n) }",
    "none": "{ field(n: 1) }",
}
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**32), 2**32) | st.floats() | st.sampled_from(["", "7", "RED"])
)
ORDERS = st.deferred(
    lambda: st.fixed_dictionaries(
        {"name": st.sampled_from(["a", "b", None, 7])},
        optional={
            "pieces": SCALARS,
            "colour": SCALARS,
            "parts": st.lists(ORDERS, max_size=2),
            "other": SCALARS,
        },
    )
)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "id": SCALARS,
        "n": st.just(3) | SCALARS,
        "order": ORDERS | SCALARS,
        "orders": st.lists(ORDERS | SCALARS, max_size=2) | ORDERS,
        "paint": st.lists(SCALARS, max_size=2) | SCALARS,
        "undeclared": SCALARS,
    },
)


def coerced(result: Any) -> Any:
    """The values and where they come from, or the messages."""
    if isinstance(result, VariableValues):
        return dict(result.coerced), {name: source.value for name, source in result.sources.items()}
    return [error.message for error in result]


@pytest.mark.parametrize("operation", OPERATIONS)
@given(values=VALUES)
def test_coercion_is_that_of_graphql_core(operation, values):
    definition = parse(OPERATIONS[operation]).definitions[0]
    assert isinstance(definition, OperationDefinitionNode)
    coercer = VariableCoercer(SCHEMA, definition)
    expected = get_variable_values(SCHEMA, definition.variable_definitions or (), values, 50)
    for _ in range(2):
        assert repr(coerced(coercer.coerce(values))) == repr(coerced(expected))
