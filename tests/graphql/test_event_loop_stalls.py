"""No operation keeps others waiting: work is refused, or done in pieces. tests.benchmarks.stalls: times."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from app.db import sql, text_columns
from app.execution import encoding, introspection, waiting
from app.execution.completion import LeafCompleter, ObjectCompleter
from app.execution.field_resolvers import (
    AttributeResolver,
    BatchResolver,
    DirectResolver,
    ParentResolver,
)
from app.graphql import pipeline
from app.graphql.admission import policy
from app.graphql.admission.policy import VALUES_PER_POINT
from tests.benchmarks import data
from tests.graphql import attacks
from tests.graphql.conftest import when_compiled

PIECE = 10
LENGTH = 100


@pytest.mark.parametrize("name", {**attacks.DOCUMENTS, **attacks.INTROSPECTIONS})
async def test_an_attack_is_refused_or_executed(client, name):
    attack = attacks.ATTACKS[name]
    body = {"query": attack.document, "variables": attack.variables, "operationName": attack.operation_name}
    response = await client.post(
        "/graphql", content=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    extensions = response.json().get("errors", [{}])[0].get("extensions", {})
    assert extensions.get("limit", extensions.get("code")) == attack.expected


@pytest.fixture
async def turns() -> AsyncIterator[list[int]]:
    """How often other tasks have run, as the only item."""
    count = [0]

    async def beat() -> None:
        while True:
            count[0] += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(beat())
    yield count
    task.cancel()


@pytest.fixture
def steps(monkeypatch, turns) -> list[tuple[str, int, int]]:
    """Each step over rows or objects: its name, their number, and how often other tasks had run before."""
    recorded = []

    def record(class_: type, name: str, count: Callable[..., int]) -> None:
        inner = getattr(class_, name)

        def recording(*args: Any) -> Any:
            recorded.append((f"{class_.__name__}.{name}", count(*args), turns[0]))
            return inner(*args)

        monkeypatch.setattr(class_, name, recording)

    def record_encoding(value: Any) -> bytes:
        if isinstance(value, list):
            recorded.append(("dumps", len(value), turns[0]))
        return orjson.dumps(value)

    monkeypatch.setattr(encoding, "orjson", SimpleNamespace(dumps=record_encoding, Fragment=orjson.Fragment))
    record(sql.Query, "read", lambda _, records: len(records))
    record(text_columns._Statement, "read", lambda _, records, __: len(records))
    for completer in (LeafCompleter, ObjectCompleter):
        record(completer, "complete_sync", lambda _, __, values, ___: len(values))
    for resolver in (AttributeResolver, ParentResolver, BatchResolver, DirectResolver):
        record(resolver, "start", lambda _, __, layer, ___: len(layer.sources))
    return recorded


@when_compiled
@pytest.mark.parametrize("name", attacks.HISTORIES)
async def test_other_tasks_run_between_the_steps_of_a_long_response(
    monkeypatch, shared_url, ask, steps, name
):
    await data.load_history(shared_url, attacks.LONG_HISTORY.removesuffix("1"), LENGTH)
    attack = attacks.ATTACKS[name]
    expected = await ask.answer(attack.document, **attack.variables)
    steps.clear()
    monkeypatch.setattr(sql, "MAX_UNINTERRUPTED", PIECE)
    monkeypatch.setattr(waiting, "MAX_UNINTERRUPTED", PIECE)
    monkeypatch.setattr(pipeline, "_LONG_RESPONSE", LENGTH)
    answer = await ask.answer(attack.document, **attack.variables)
    assert answer["data"] == expected["data"]
    pieces = ("Query.read", "_Statement.read", "DirectResolver.start", "dumps")
    assert max(count for step, count, _ in steps if step in pieces) == PIECE
    turns_of_long_steps = [turn for _, count, turn in steps if count >= PIECE]
    assert len(turns_of_long_steps) > LENGTH / PIECE
    assert len(set(turns_of_long_steps)) == len(turns_of_long_steps)


async def test_other_tasks_run_while_a_long_document_is_validated(monkeypatch, client, turns):
    validate = policy.validate
    turns_of_parts = []

    def recording(schema: Any, document: Any, rules: list[Any], **options: Any) -> Any:
        turns_of_parts.append((len(rules), turns[0]))
        return validate(schema, document, rules, **options)

    monkeypatch.setattr(policy, "validate", recording)
    document = attacks.tickets(" ".join(f"a{i}: id" for i in range(25)))
    for text in (document, document + " " * policy._LONG_DOCUMENT):
        turns_of_parts.clear()
        response = await client.post("/graphql", json={"query": text})
        assert "errors" not in response.json()
        is_long = len(text) > policy._LONG_DOCUMENT
        assert (len(turns_of_parts) > 1) == is_long
        assert len({turn for _, turn in turns_of_parts}) == len(turns_of_parts)
        assert not is_long or max(count for count, _ in turns_of_parts) == policy._RULES_AT_A_TIME


@when_compiled
async def test_a_response_has_a_limit(serve, shared_url):
    await data.load_history(shared_url, attacks.LONG_HISTORY.removesuffix("1"), LENGTH)
    api = await serve(values=1000)
    attack = attacks.HISTORIES["a long history of histories"]
    [error] = (await api.answer(attack.document, **attack.variables))["errors"]
    assert (error["extensions"]["code"], error["extensions"]["limit"]) == ("QUERY_TOO_LARGE", "values")


@when_compiled
async def test_the_values_beyond_the_cost_are_charged(serve, shared_url):
    await data.load_history(shared_url, attacks.LONG_HISTORY.removesuffix("1"), LENGTH)
    api = await serve(refill_per_s=0.001)
    query = "query ($id: ID!) { ticket(id: $id) { assignmentHistory { id status isCurrent } } }"

    async def cost() -> dict[str, int]:
        return (await api.answer(query, id=attacks.LONG_HISTORY))["extensions"]["cost"]

    await cost()  # is charged for its plan, too
    first, second = await cost(), await cost()
    values = 1 + 1 + LENGTH + 3 * LENGTH
    beyond = (values - first["requested"]) // VALUES_PER_POINT
    assert first["remaining"] - second["remaining"] == second["requested"] + beyond


@when_compiled
async def test_a_mutation_with_a_long_result_has_changed_something(serve, make):
    assignment = await make.assigned()
    api = await serve(values=3, assumed_list=0)
    answer = await api.answer(
        """mutation ($id: ID!) { acceptAssignment(input: {assignmentId: $id}) {
            ... on Assignment { ticket { assignmentHistory { id } } } } }""",
        id=str(assignment.id),
    )
    assert answer["data"] is None
    [error] = answer["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["acceptAssignment"], "QUERY_TOO_LARGE")


@when_compiled
@pytest.mark.parametrize("name", attacks.INTROSPECTIONS)
async def test_introspection_is_computed_once_and_in_another_thread(monkeypatch, ask_own, name):
    threads = []
    execute = introspection._execute

    def recording(*args: Any) -> bytes:
        threads.append(threading.current_thread())
        return execute(*args)

    monkeypatch.setattr(introspection, "_execute", recording)
    document = attacks.ATTACKS[name].document
    first = await ask_own(document)
    computed = len(threads)
    assert computed
    assert threading.main_thread() not in threads
    assert [await ask_own(document) for _ in range(3)] == [first] * 3
    assert len(threads) == computed


@when_compiled
async def test_introspection_depends_on_its_variables(ask):
    query = """query ($name: String!, $old: Boolean) {
        __type(name: $name) { name fields(includeDeprecated: $old) { name } } }"""
    names = ["Ticket", "Assignment", "Nothing", "Ticket"]
    answers = [await ask(query, name=name, old=False) for name in names]
    assert [(answer["__type"] or {}).get("name") for answer in answers] == [*names[:2], None, names[3]]
