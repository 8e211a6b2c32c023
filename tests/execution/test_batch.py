"""Several executions as one: each answer is the one that it would be alone, or nobody is answered so."""

from __future__ import annotations

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
PLAIN = f"query Q($n: Int!, $all: Boolean = false) {{ node(number: $n) {{ {EVERY} __typename }} whose }}"
CONDITIONAL = """query Q($n: Int!, $all: Boolean = false) {
    node(number: $n) { number name @include(if: $all) ...More @skip(if: $all) } }
    fragment More on Node { children { half } }"""
ASKS_WHOSE = "query Q($n: Int!) { node(number: $n) { children { path } } }"
WORKS = "query Q($n: Int!) { node(number: $n) { number } later }"
levels: list[int] = []


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
    levels.append(len(rows))
    return [None if row.number < 2 else Row(row.number // 2) for row in rows]


async def children(rows: list[Row], _: Any) -> list[Any]:
    await asyncio.sleep(0)
    return [[Row(row.number * 2 + n) for n in range(row.number % 3)] for row in rows]


def halves(rows: list[Row], _: Any) -> list[Any]:
    return [ValueError("odd") if row.number == 7 else row.number / 2 for row in rows]


def _asked() -> Any:
    raise AssertionError("levels are asked instead")


def level(of: Any, type_: Any) -> Any:
    return strawberry.field(resolver=_asked, graphql_type=type_, metadata={BATCH_RESOLVER: of})


@strawberry.type
class Near:
    number: int
    name: str
    half: float | None = level(halves, float | None)

    is_type_of = staticmethod(InstanceCheck(Row))

    @strawberry.field
    def path(root: strawberry.Parent[Row], info: strawberry.Info) -> str:
        return f"{info.path.as_list()} {root.number} {info.variable_values}"


@strawberry.type
class Node:
    number: int
    name: str
    words: list[str] | None
    parent: Near | None = level(parents, Near | None)
    children: list[Near] = level(children, list[Near])
    half: float | None = level(halves, float | None)

    is_type_of = staticmethod(InstanceCheck(Row))


@strawberry.type
class Query:
    @strawberry.field(graphql_type=Node | None)
    def node(self, number: int) -> Any:
        if number == 17:
            raise ValueError("nobody's")
        return None if number == 0 else Row(number)

    @strawberry.field
    def whose(self, info: strawberry.Info) -> str:
        return f"{info.variable_values['n']} {info.path.as_list()}"

    @strawberry.field
    async def later(self) -> int:
        return 1


schema = strawberry.Schema(Query)._schema


def executors(text: str, given: list[dict[str, Any]]) -> list[BreadthFirstExecutor]:
    first = Executor.build(schema, parse(text), None, None, {"n": 1}, operation_extensions={})
    assert isinstance(first, Executor)
    prepared = ExecutorTemplate(first)
    made = [prepared.executor(None, variables, operation_extensions={}) for variables in given]
    return [executor for executor in made if isinstance(executor, BreadthFirstExecutor)]


async def alone(executor: BreadthFirstExecutor) -> ExecutionResult:
    result = executor.execute_operation()
    return await result if isawaitable(result) else result


async def in_company(those: list[BreadthFirstExecutor]) -> list[dict[str, Any]] | None:
    selection = those[0].root_plan()
    assert selection is not None
    assert {executor.root_plan() for executor in those} == {selection}
    return await execute_batch(those, selection) if selection.is_batchable else None


@settings(max_examples=300, deadline=None)
@given(
    text=st.sampled_from([PLAIN, CONDITIONAL]),
    numbers=st.lists(st.integers(0, 18), min_size=1, max_size=12),
    all_=st.booleans(),
)
async def test_each_is_answered_as_alone(text, numbers, all_):
    given_ = [{"n": number, "all": all_} for number in numbers]
    expected = [await alone(executor) for executor in executors(text, given_)]
    found = await in_company(executors(text, given_))
    if any(result.errors for result in expected):
        assert found is None
    else:
        assert found == [result.data for result in expected]


async def test_a_level_is_a_level_of_them_all():
    levels.clear()
    assert await in_company(executors(PLAIN, [{"n": 2}, {"n": 4}, {"n": 0}, {"n": 5}])) is not None
    assert levels == [3]


@pytest.mark.parametrize("text", [ASKS_WHOSE, WORKS])
async def test_who_asks_whose_it_is_or_works_at_the_root_goes_alone(text):
    those = executors(text, [{"n": 4}, {"n": 5}])
    assert await in_company(those) is None
    assert not those[0].root_plan().is_batchable
    assert [(await alone(executor)).errors for executor in those] == [None, None]


async def test_executors_of_one_operation_share_nothing_that_they_collect():
    one, other = executors(PLAIN, [{"n": 1}, {"n": 1}])
    shared = [
        name
        for name, value in vars(one).items()
        if value is vars(other)[name] and isinstance(value, list | dict | set) and value == type(value)()
    ]
    assert set(shared) <= {"fragments", "fragment_definitions"}


async def test_a_fault_of_the_company_itself_leaves_each_to_be_executed_alone(monkeypatch):
    async def fails(*_):
        raise RuntimeError

    monkeypatch.setattr(batch._BatchExecution, "complete_layer", fails)
    assert await in_company(executors(PLAIN, [{"n": 2}, {"n": 4}])) is None
