"""Resolvers of a Strawberry schema: shortcuts give the same values as Strawberry's own execution."""

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
from asyncpg.pgproto.pgproto import UUID as DriverUUID  # noqa: N811 - the driver's name
from graphql import execute, parse
from strawberry.permission import BasePermission
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from app.execution.completion import InstanceCheck
from app.execution.executor import ExecutorTemplate
from tests.execution.test_batch import Executor, batched

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = "00000000-0000-0000-0000-000000000007"
calls: list[list[int]] = []


class Closed(BasePermission):
    message = "It is closed."

    def has_permission(self, *_: Any, **__: Any) -> bool:
        return False


@strawberry.enum
class Colour(Enum):
    RED = "r"
    GREEN = "g"


@strawberry.input
class Order:
    name: str
    colours: list[Colour] | None = None
    more: strawberry.Maybe[int | None]


@dataclass
class Row:
    number: int


async def squares(rows: list[Row], context: Any) -> list[Any]:
    calls.append([row.number for row in rows])
    await asyncio.sleep(0)
    return [ValueError("seven") if row.number == 7 else context * row.number**2 for row in rows]


async def _half(number: int) -> int:
    await asyncio.sleep(0)
    if number % 2:
        raise ValueError("odd")
    return number // 2


def halves(rows: list[Row], _: Any) -> list[Any]:
    calls.append([row.number for row in rows])
    return [None if row.number == 7 else _half(row.number) for row in rows]


async def too_few(rows: list[Row], _: Any) -> list[Any]:
    return [1 for _ in rows[1:]]


@strawberry.type
class Thing:
    number: int
    square: int | None = batched(squares, int | None)
    few: int | None = batched(too_few, int | None)
    batch_half: int | None = batched(halves, int | None)

    is_type_of = staticmethod(InstanceCheck(Row))

    @strawberry.field
    def half(root: strawberry.Parent[Row]) -> float:
        return root.number / 2

    @strawberry.field(permission_classes=[Closed])
    def secret(root: strawberry.Parent[Row]) -> int:
        return root.number

    @strawberry.field
    async def slow(root: strawberry.Parent[Row]) -> int:
        await asyncio.sleep(0)
        return root.number

    @strawberry.field
    def path(root: strawberry.Parent[Row], info: strawberry.Info, plus: int = 1) -> str:
        return f"{info.path.as_list()} {root.number + plus}"


@strawberry.type
class Query:
    @strawberry.field(graphql_type=list[Thing])
    def things(self, numbers: list[int]) -> list[Row]:
        return [Row(number) for number in numbers]

    @strawberry.field
    def echo(
        self,
        info: strawberry.Info,
        id: strawberry.ID | None = None,
        count: int = 3,
        share: float | None = 0.5,
        colour: Colour | None = Colour.RED,
        colours: list[Colour] | None = None,
        rows: list[list[int]] | None = None,
        order: Order | None = None,
        perhaps: strawberry.Maybe[str | None] = None,
        in_other_words: Annotated[str | None, strawberry.argument(name="inShort")] = None,
    ) -> str:
        arguments = (id, count, share, colour, colours, rows, order, perhaps, in_other_words)
        return f"{info.field_name} {info.context} {arguments}"

    @strawberry.field(graphql_type=Thing | None)
    def other_object(self) -> Any:
        return object()

    @strawberry.field
    def colours(self) -> list[Colour]:
        return [Colour.GREEN, Colour.RED]

    @strawberry.field
    def datetimes(self) -> list[datetime | None]:
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


async def respond(query: str, executor: type = Executor) -> Any:
    """The response as JSON."""
    result = execute(
        schema._schema, parse(query), None, context_value=10, executor_class=executor, operation_extensions={}
    )
    result = await result if asyncio.iscoroutine(result) else result
    return orjson.loads(orjson.dumps(result.formatted))


@pytest.fixture(autouse=True)
def _no_calls():
    calls.clear()


@pytest.mark.parametrize(
    "query",
    [
        "{ things(numbers: [1, 2]) { number half slow path other: path(plus: 5) __typename } }",
        "{ colours datetimes noons ids sum uuid }",
        "{ things(numbers: [1]) { number } otherObject { number } }",
        "{ things(numbers: [1, 2]) { number secret } }",
        "{ echo }",
        '{ echo(id: 7, count: 1, share: 2, colour: GREEN, colours: [RED], rows: [[1], []], inShort: "x") }',
        "{ echo(id: null, share: null, colour: null, colours: null, rows: null, order: null) }",
        '{ echo(order: {name: "n"}, perhaps: "p") b: echo(order: {name: "n", colours: [RED], more: null}) }',
        "{ echo(count: 3000000000) }",
        "query ($c: Colour = GREEN, $o: Order) { echo(colour: $c, order: $o) }",
        "{ __schema { types { name fields { name type { name kind ofType { name } } args { name } } } } }",
    ],
)
async def test_responses_equal_those_of_strawberry(query):
    assert await respond(query) == await respond(query, StrawberryGraphQLCoreExecutionContext)


async def test_a_batch_resolver_is_called_once_and_fails_per_object():
    response = await respond("{ things(numbers: [2, 7, 3]) { square } }")
    assert calls == [[2, 7, 3]]
    assert [thing["square"] for thing in response["data"]["things"]] == [40, None, 90]
    assert [(error["message"], error["path"]) for error in response["errors"]] == [
        ("seven", ["things", 1, "square"])
    ]


async def test_a_batch_resolver_may_return_awaitables():
    response = await respond("{ things(numbers: [4, 7, 5, 8]) { batchHalf } }")
    assert calls == [[4, 7, 5, 8]]
    assert [thing["batchHalf"] for thing in response["data"]["things"]] == [2, None, None, 4]
    assert [(error["message"], error["path"]) for error in response["errors"]] == [
        ("odd", ["things", 2, "batchHalf"])
    ]


@pytest.mark.parametrize("variables", [None, {}, {"n": [1, 2]}, {"n": [1, "x"]}, {"n": None}, {"m": 1}])
async def test_an_executor_of_a_template_equals_a_new_one(variables):
    document = parse(
        "query Q($n: [Int!]! = [3]) { things(numbers: $n) { ...F } } fragment F on Thing { square }"
    )
    first = Executor.build(schema._schema, document, operation_extensions={})
    template = ExecutorTemplate(first)

    async def result_of(executor: Any) -> Any:
        return executor if isinstance(executor, list) else await executor.execute_operation()

    new = Executor.build(schema._schema, document, None, 10, variables, operation_extensions={})
    from_template = template.executor(10, variables, operation_extensions={})
    assert await result_of(from_template) == await result_of(new)


async def test_a_batch_resolver_with_too_few_values_fails_for_all():
    response = await respond("{ things(numbers: [1, 2]) { few } }")
    assert [error["path"] for error in response["errors"]] == [["things", 0, "few"], ["things", 1, "few"]]
