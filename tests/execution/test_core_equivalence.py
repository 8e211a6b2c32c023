"""For any schema, operation and data: breadth-first execution gives the result of graphql-core."""

import gc
import warnings
from collections.abc import AsyncIterator
from inspect import isawaitable
from typing import Any

import pytest
from graphql import DocumentNode, ExecutionResult, GraphQLError, GraphQLSchema, execute, parse
from hypothesis import given, settings

from app.execution.executor import BreadthFirstExecutor
from app.execution.planner import PlanCache
from tests.execution.schemas import cases

# If a field fails, graphql-core does not await all of its siblings.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")


@pytest.fixture(autouse=True)
def _free_coroutines():
    """Here, since coroutines warn when they are freed."""
    yield
    gc.collect()


async def execute_core(
    schema: GraphQLSchema, document: DocumentNode, root: Any, variables: Any
) -> ExecutionResult:
    result = execute(schema, document, root, variable_values=variables)
    return await result if isawaitable(result) else result


async def execute_breadth_first(
    plans: PlanCache, schema: GraphQLSchema, document: DocumentNode, root: Any, variables: Any
) -> ExecutionResult:
    executor = BreadthFirstExecutor.build(schema, document, root, None, variables, plans=plans)
    assert isinstance(executor, BreadthFirstExecutor)
    gc.disable()  # frees nothing that graphql-core left
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            result = await executor.execute_operation()
    finally:
        gc.enable()
    assert len(plans._plans), "graphql-core executed it"
    return result


async def results_of(case: Any) -> AsyncIterator[tuple[ExecutionResult, ExecutionResult]]:
    """Yield the results of both executors, also from cached plans."""
    schema, text, root, variables = case
    document, plans = parse(text), PlanCache()
    for flag in (True, False, True):
        values = variables | {"yes": flag}
        expected = await execute_core(schema, document, root, values)
        yield await execute_breadth_first(plans, schema, document, root, values), expected


@given(case=cases(sources=("plain",)))
@settings(max_examples=60)
async def test_sync_results_are_equal(case):
    async for actual, expected in results_of(case):
        assert actual.formatted == expected.formatted
        assert str(actual.data) == str(expected.data), "field order"


@given(case=cases())
@settings(max_examples=60)
async def test_async_results_differ_only_in_which_error_caused_a_null(case):
    async for actual, expected in results_of(case):
        assert str(actual.data) == str(expected.data)
        assert nulls(actual) == nulls(expected)


def nulls(result: ExecutionResult) -> dict[tuple[Any, ...], Any]:
    """The paths that errors made null, with the error if it was raised at that path."""
    result_: dict[tuple[Any, ...], Any] = {}
    for error in result.errors or ():
        path = null_path(result.data, error)
        is_own = path == tuple(error.path)
        result_[path] = str(error) if is_own else result_.get(path)
    return result_


def null_path(data: Any, error: GraphQLError) -> tuple[Any, ...]:
    for depth, key in enumerate(error.path):
        if data is None:
            return tuple(error.path[:depth])
        data = data[key]
    assert data is None
    return tuple(error.path)
