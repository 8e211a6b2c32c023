"""Batched execution returns the same data as isolated execution, or None."""

import asyncio
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

import pytest
import strawberry
from graphql import ExecutionResult, parse
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from app.execution import batch
from app.execution.batch import execute_batch
from app.execution.completion import InstanceCheck
from app.execution.executor import BreadthFirstExecutor, ExecutorTemplate
from app.execution.field_resolvers import BATCH_RESOLVER

EVERY = "number name words parent { number name half } children { name number half } half"
PLAIN = f"query Q($n: Int!, $all: Boolean = false) {{ node(number: $n) {{ {EVERY} __typename }} ownRequest }}"
CONDITIONAL = """query Q($n: Int!, $all: Boolean = false) {
    node(number: $n) { number name @include(if: $all) ...More @skip(if: $all) } }
    fragment More on Node { children { half } }"""
NEEDS_PATH = "query Q($n: Int!) { node(number: $n) { children { path } } }"
ASYNC_ROOT = "query Q($n: Int!) { node(number: $n) { number } asyncRoot }"
layer_sizes: list[int] = []


class Executor(BreadthFirstExecutor, StrawberryGraphQLCoreExecutionContext):
    native_leaves = True


@dataclass
class Row:
    number: int

    @property
    def name(self) -> str:
        if self.number == 13:
            raise ValueError("unlucky")
        return f"n{self.number}"

    @property
    def words(self) -> list[str] | None:
        return None if self.number % 3 == 0 else ["w"] * (self.number % 4)


def parents(rows: list[Row], _: Any) -> list[Any]:
    layer_sizes.append(len(rows))
    return [None if row.number < 2 else Row(row.number // 2) for row in rows]


async def children(rows: list[Row], _: Any) -> list[Any]:
    await asyncio.sleep(0)
    return [[Row(row.number * 2 + n) for n in range(row.number % 3)] for row in rows]


def halves(rows: list[Row], _: Any) -> list[Any]:
    return [ValueError("odd") if row.number == 7 else row.number / 2 for row in rows]


def _never_called() -> Any:
    raise AssertionError("the batch resolver is called instead")


def batched(resolve: Any, type_: Any) -> Any:
    return strawberry.field(resolver=_never_called, graphql_type=type_, metadata={BATCH_RESOLVER: resolve})


@strawberry.type
class Near:
    number: int
    name: str
    half: float | None = batched(halves, float | None)

    is_type_of = staticmethod(InstanceCheck(Row))

    @strawberry.field
    def path(root: strawberry.Parent[Row], info: strawberry.Info) -> str:
        return f"{info.path.as_list()} {root.number} {info.variable_values}"


@strawberry.type
class Node:
    number: int
    name: str
    words: list[str] | None
    parent: Near | None = batched(parents, Near | None)
    children: list[Near] = batched(children, list[Near])
    half: float | None = batched(halves, float | None)

    is_type_of = staticmethod(InstanceCheck(Row))


@strawberry.type
class Query:
    @strawberry.field(graphql_type=Node | None)
    def node(self, number: int) -> Any:
        if number == 17:
            raise ValueError("unlucky number")
        return None if number == 0 else Row(number)

    @strawberry.field
    def own_request(self, info: strawberry.Info) -> str:
        return f"{info.variable_values['n']} {info.path.as_list()}"

    @strawberry.field
    async def async_root(self) -> int:
        return 1


schema = strawberry.Schema(Query)._schema


def executors(text: str, variables: list[dict[str, Any]]) -> list[BreadthFirstExecutor]:
    first = Executor.build(schema, parse(text), None, None, {"n": 1}, operation_extensions={})
    assert isinstance(first, Executor)
    template = ExecutorTemplate(first)
    created = [template.executor(None, each, operation_extensions={}) for each in variables]
    return [executor for executor in created if isinstance(executor, BreadthFirstExecutor)]


async def execute_isolated(executor: BreadthFirstExecutor) -> ExecutionResult:
    result = executor.execute_operation()
    return await result if isawaitable(result) else result


async def execute_batched(executors_: list[BreadthFirstExecutor]) -> list[dict[str, Any]] | None:
    plan = executors_[0].root_plan()
    assert plan is not None
    assert {executor.root_plan() for executor in executors_} == {plan}
    return await execute_batch(executors_, plan) if plan.is_batchable else None


@settings(max_examples=300, deadline=None)
@given(
    text=st.sampled_from([PLAIN, CONDITIONAL]),
    numbers=st.lists(st.integers(0, 18), min_size=1, max_size=12),
    all_=st.booleans(),
)
async def test_batched_results_equal_isolated_results(text, numbers, all_):
    variables = [{"n": number, "all": all_} for number in numbers]
    expected = [await execute_isolated(executor) for executor in executors(text, variables)]
    batched_data = await execute_batched(executors(text, variables))
    if any(result.errors for result in expected):
        assert batched_data is None
    else:
        assert batched_data == [result.data for result in expected]


async def test_a_layer_holds_the_objects_of_all_operations():
    layer_sizes.clear()
    assert await execute_batched(executors(PLAIN, [{"n": 2}, {"n": 4}, {"n": 0}, {"n": 5}])) is not None
    assert layer_sizes == [3]


@pytest.mark.parametrize("text", [NEEDS_PATH, ASYNC_ROOT])
async def test_fields_that_need_their_request_or_async_roots_are_not_batched(text):
    executors_ = executors(text, [{"n": 4}, {"n": 5}])
    assert await execute_batched(executors_) is None
    assert not executors_[0].root_plan().is_batchable
    assert [(await execute_isolated(executor)).errors for executor in executors_] == [None, None]


async def test_executors_of_one_template_share_no_collections():
    one, other = executors(PLAIN, [{"n": 1}, {"n": 1}])
    shared = [
        name
        for name, value in vars(one).items()
        if value is vars(other)[name] and isinstance(value, list | dict | set) and value == type(value)()
    ]
    assert set(shared) <= {"fragments", "fragment_definitions"}


async def test_an_internal_error_of_a_batch_returns_none(monkeypatch):
    async def fails(*_):
        raise RuntimeError

    monkeypatch.setattr(batch._BatchExecution, "complete_layer", fails)
    assert await execute_batched(executors(PLAIN, [{"n": 2}, {"n": 4}])) is None
