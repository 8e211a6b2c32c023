"""Where values come from, on a schema of Strawberry's: short ways only where nothing stands in them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import orjson
import pytest
import strawberry
from asyncpg.pgproto.pgproto import UUID as DriverUUID  # noqa: N811 - as the driver names it
from graphql import execute, parse
from strawberry.permission import BasePermission
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from app.execution.completion import InstanceCheck
from app.execution.executor import BreadthFirstExecutor, ExecutorTemplate
from app.execution.field_resolvers import BATCH_RESOLVER

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = "00000000-0000-0000-0000-000000000007"
levels: list[list[int]] = []


class Executor(BreadthFirstExecutor, StrawberryGraphQLCoreExecutionContext):
    native_leaves = True


class Closed(BasePermission):
    message = "It is closed."

    def has_permission(self, *_: Any, **__: Any) -> bool:
        return False


@strawberry.enum
class Colour(Enum):
    RED = "r"
    GREEN = "g"


@strawberry.input
class Wish:
    name: str
    colours: list[Colour] | None = None
    more: strawberry.Maybe[int | None]


@dataclass
class Row:
    number: int


async def squares(rows: list[Row], context: Any) -> list[Any]:
    levels.append([row.number for row in rows])
    await asyncio.sleep(0)
    return [ValueError("seven") if row.number == 7 else context * row.number**2 for row in rows]


async def _half(number: int) -> int:
    await asyncio.sleep(0)
    if number % 2:
        raise ValueError("odd")
    return number // 2


def halves(rows: list[Row], _: Any) -> list[Any]:
    levels.append([row.number for row in rows])
    return [None if row.number == 7 else _half(row.number) for row in rows]


async def too_few(rows: list[Row], _: Any) -> list[Any]:
    return [1 for _ in rows[1:]]


def _square() -> int:
    raise AssertionError("levels are asked instead")


@strawberry.type
class Thing:
    number: int
    square: int | None = strawberry.field(resolver=_square, metadata={BATCH_RESOLVER: squares})
    few: int | None = strawberry.field(resolver=_square, metadata={BATCH_RESOLVER: too_few})
    whole_half: int | None = strawberry.field(resolver=_square, metadata={BATCH_RESOLVER: halves})

    is_type_of = staticmethod(InstanceCheck(Row))

    @strawberry.field
    def half(root: strawberry.Parent[Row]) -> float:
        return root.number / 2

    @strawberry.field(permission_classes=[Closed])
    def secret(root: strawberry.Parent[Row]) -> int:
        return root.number

    @strawberry.field
    async def later(root: strawberry.Parent[Row]) -> int:
        await asyncio.sleep(0)
        return root.number

    @strawberry.field
    def place(root: strawberry.Parent[Row], info: strawberry.Info, plus: int = 1) -> str:
        return f"{info.path.as_list()} {root.number + plus}"


@strawberry.type
class Query:
    @strawberry.field(graphql_type=list[Thing])
    def things(self, numbers: list[int]) -> list[Row]:
        return [Row(number) for number in numbers]

    @strawberry.field
    def told(
        self,
        info: strawberry.Info,
        id: strawberry.ID | None = None,
        count: int = 3,
        share: float | None = 0.5,
        colour: Colour | None = Colour.RED,
        colours: list[Colour] | None = None,
        rows: list[list[int]] | None = None,
        command: Wish | None = None,
        perhaps: strawberry.Maybe[str | None] = None,
        in_other_words: Annotated[str | None, strawberry.argument(name="inShort")] = None,
    ) -> str:
        given = (id, count, share, colour, colours, rows, command, perhaps, in_other_words)
        return f"{info.field_name} {info.context} {given}"

    @strawberry.field(graphql_type=Thing | None)
    def stranger(self) -> Any:
        return object()

    @strawberry.field
    def colours(self) -> list[Colour]:
        return [Colour.GREEN, Colour.RED]

    @strawberry.field
    def moments(self) -> list[datetime | None]:
        return [NOON, None, NOON.astimezone(timezone(timedelta(minutes=19, seconds=32)))]

    @strawberry.field
    def noons(self) -> list[datetime]:
        return [NOON, NOON.replace(microsecond=5)]

    @strawberry.field
    def ids(self) -> list[strawberry.ID]:
        return [DriverUUID(ID), DriverUUID(ID)]  # type: ignore[list-item]

    @strawberry.field
    def sum(self) -> Decimal:
        return Decimal("1.50")

    @strawberry.field
    def uuid(self) -> UUID:
        return DriverUUID(ID)


schema = strawberry.Schema(Query)


async def answer(query: str, executor: type = Executor) -> Any:
    """As it is on the wire."""
    result = execute(
        schema._schema, parse(query), None, context_value=10, executor_class=executor, operation_extensions={}
    )
    result = await result if asyncio.iscoroutine(result) else result
    return orjson.loads(orjson.dumps(result.formatted))


@pytest.fixture(autouse=True)
def nothing_asked():
    levels.clear()


@pytest.mark.parametrize(
    "query",
    [
        "{ things(numbers: [1, 2]) { number half later place other: place(plus: 5) __typename } }",
        "{ colours moments noons ids sum uuid }",
        "{ things(numbers: [1]) { number } stranger { number } }",
        "{ things(numbers: [1, 2]) { number secret } }",
        "{ told }",
        '{ told(id: 7, count: 1, share: 2, colour: GREEN, colours: [RED], rows: [[1], []], inShort: "x") }',
        "{ told(id: null, share: null, colour: null, colours: null, rows: null, wish: null, perhaps: null) }",
        '{ told(wish: {name: "n"}, perhaps: "p") b: told(wish: {name: "n", colours: [RED], more: null}) }',
        "{ told(count: 3000000000) }",
        "query ($c: Colour = GREEN, $w: Wish) { told(colour: $c, wish: $w) }",
        "{ __schema { types { name fields { name type { name kind ofType { name } } args { name } } } } }",
    ],
)
async def test_strawberry_is_heard_wherever_it_has_something_to_say(query):
    assert await answer(query) == await answer(query, StrawberryGraphQLCoreExecutionContext)


async def test_a_level_is_asked_once_for_all_and_fails_one_by_one():
    found = await answer("{ things(numbers: [2, 7, 3]) { square } }")
    assert levels == [[2, 7, 3]]
    assert [thing["square"] for thing in found["data"]["things"]] == [40, None, 90]
    assert [(error["message"], error["path"]) for error in found["errors"]] == [
        ("seven", ["things", 1, "square"])
    ]


async def test_a_level_may_answer_at_once_with_what_is_to_be_awaited():
    found = await answer("{ things(numbers: [4, 7, 5, 8]) { wholeHalf } }")
    assert levels == [[4, 7, 5, 8]]
    assert [thing["wholeHalf"] for thing in found["data"]["things"]] == [2, None, None, 4]
    assert [(error["message"], error["path"]) for error in found["errors"]] == [
        ("odd", ["things", 2, "wholeHalf"])
    ]


@pytest.mark.parametrize("variables", [None, {}, {"n": [1, 2]}, {"n": [1, "x"]}, {"n": None}, {"m": 1}])
async def test_what_was_prepared_once_is_executed_as_what_is_built_anew(variables):
    document = parse(
        "query Q($n: [Int!]! = [3]) { things(numbers: $n) { ...F } } fragment F on Thing { square }"
    )
    first = Executor.build(schema._schema, document, operation_extensions={})
    prepared = ExecutorTemplate(first)

    async def answered(executor: Any) -> Any:
        return executor if isinstance(executor, list) else await executor.execute_operation()

    anew = Executor.build(schema._schema, document, None, 10, variables, operation_extensions={})
    again = prepared.executor(10, variables, operation_extensions={})
    assert await answered(again) == await answered(anew)


async def test_a_level_that_answers_for_too_few_fails_for_all():
    found = await answer("{ things(numbers: [1, 2]) { few } }")
    assert [error["path"] for error in found["errors"]] == [["things", 0, "few"], ["things", 1, "few"]]
