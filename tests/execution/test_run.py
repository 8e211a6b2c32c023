"""Side effects of an execution: order, plan cache, cancellation."""

import asyncio

import pytest
from graphql import build_schema, execute, parse

from app.execution.executor import BreadthFirstExecutor
from app.execution.planner import PlanCache
from app.execution.waiting import await_all

SCHEMA = build_schema("""
    type Query { a: Item  b: Item  items: [Item!] }
    type Mutation { first: Int  second: Int!  third: Int }
    type Item { name: String!  item: Item }
""")


async def test_mutations_run_in_order_and_stop_when_data_is_null():
    calls: list[str] = []

    class Root:
        async def first(self, _):
            calls.append("first starts")
            await asyncio.sleep(0)
            calls.append("first ends")

        async def second(self, _):
            calls.append("second")

        third = None

        def __getattribute__(self, name):
            if name == "third":
                calls.append("third")
            return object.__getattribute__(self, name)

    document = parse("mutation { first second third }")
    result = await execute(SCHEMA, document, Root(), executor_class=BreadthFirstExecutor)
    assert result.data is None
    assert [error.path for error in result.errors] == [["second"]]
    assert calls == ["first starts", "first ends", "second"]


async def test_an_object_can_have_no_fields_after_skip():
    document = parse("query ($no: Boolean!) { a { name @include(if: $no) } }")
    for no, expected in ((False, {"a": {}}), (True, {"a": {"name": "x"}}), (False, {"a": {}})):
        result = await execute(
            SCHEMA,
            document,
            {"a": {"name": "x"}},
            variable_values={"no": no},
            executor_class=BreadthFirstExecutor,
        )
        assert (result.data, result.errors) == (expected, None)


async def test_plans_are_cached_up_to_a_limit():
    names = [f"v{i}" for i in range(6)]
    declared = " ".join(f"${name}: Boolean!" for name in names)
    selected = " ".join(f"{name}: a {{ name @skip(if: ${name}) }}" for name in names)
    document, plans = parse(f"query ({declared}) {{ {selected} }}"), PlanCache()
    for number in [*range(64), 63]:
        variables = {name: bool(number & 2**i) for i, name in enumerate(names)}
        executor = BreadthFirstExecutor.build(SCHEMA, document, {}, None, variables, plans=plans)
        await executor.execute_operation()
    assert len(plans._plans) == 4
    cached = list(plans._plans.values())
    await BreadthFirstExecutor.build(SCHEMA, document, {}, None, variables, plans=plans).execute_operation()
    assert list(plans._plans.values()) == cached


async def test_cancellation_cancels_everything_awaited():
    ended: list[str] = []

    async def endless(name):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    waiting = asyncio.create_task(await_all([[endless("a"), 1], [endless("b")]]))
    for _ in range(2):  # until both have started
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.sleep(0)
    assert sorted(ended) == ["a", "b"]
