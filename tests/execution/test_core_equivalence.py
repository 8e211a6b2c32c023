"""Whatever the schema, the operation and the data: executed by levels, it is as graphql-core executes it."""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from graphql import ExecutionResult, GraphQLSchema, execute, parse
from hypothesis import given, settings

from app.execution.executor import BreadthFirstExecutor
from app.execution.plan import PlanCache
from tests.execution.schemas import cases

if TYPE_CHECKING:
    from graphql import DocumentNode, GraphQLError


async def by_core(
    schema: GraphQLSchema, document: DocumentNode, root: Any, variables: Any
) -> ExecutionResult:
    result = execute(schema, document, root, variable_values=variables)
    return await result if isawaitable(result) else result


async def by_levels(
    plans: PlanCache, schema: GraphQLSchema, document: DocumentNode, root: Any, variables: Any
) -> ExecutionResult:
    executor = BreadthFirstExecutor.build(schema, document, root, None, variables, plans=plans)
    assert isinstance(executor, BreadthFirstExecutor)
    result = await executor.execute_operation()
    assert plans._roots, "it was left to graphql-core"
    return result


@given(case=cases(ways=("plain",)))
@settings(max_examples=60)
async def test_without_waiting_every_answer_is_the_same_to_the_letter(case):
    schema, text, root, variables = case
    document, plans = parse(text), PlanCache()
    for yes in (True, False, True):
        given = variables | {"yes": yes}
        expected = await by_core(schema, document, root, given)
        found = await by_levels(plans, schema, document, root, given)
        assert found.formatted == expected.formatted
        assert str(found.data) == str(expected.data), "fields have their order"


@given(case=cases())
@settings(max_examples=60)
async def test_with_waiting_only_which_of_several_errors_made_a_null_may_differ(case):
    schema, text, root, variables = case
    document, plans = parse(text), PlanCache()
    for yes in (True, False, True):
        given = variables | {"yes": yes}
        expected = await by_core(schema, document, root, given)
        found = await by_levels(plans, schema, document, root, given)
        assert str(found.data) == str(expected.data)
        assert nulls(found) == nulls(expected)


def nulls(result: ExecutionResult) -> dict[tuple[Any, ...], Any]:
    """The places that errors made null; with the error where it is of that place itself."""
    told: dict[tuple[Any, ...], Any] = {}
    for error in result.errors or ():
        place = null_of(result.data, error)
        of_itself = place == tuple(error.path)
        told[place] = str(error) if of_itself else told.get(place)
    return told


def null_of(data: Any, error: GraphQLError) -> tuple[Any, ...]:
    for depth, key in enumerate(error.path):
        if data is None:
            return tuple(error.path[:depth])
        data = data[key]
    assert data is None
    return tuple(error.path)
