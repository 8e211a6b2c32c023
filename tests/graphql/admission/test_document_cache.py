"""Cached documents: analysed once, but permissions and costs are checked for each request."""

import gc
from itertools import product

import pytest
from graphql import parse

from app.domain.model import Role
from app.execution.plan import Field
from app.graphql.admission import document_cache
from app.graphql.admission.document_cache import CachedDocument
from app.graphql.admission.policy import PLANNED_FIELD_COST, OperationPolicy
from tests.graphql.conftest import act_as, when_compiled

PAGE = "query ($first: Int!) { tickets(first: $first) { nodes { id } } }"
INTROSPECTION = "{ __schema { queryType { name } } }"


@pytest.fixture
def steps(monkeypatch) -> list[str]:
    """The steps of the policy that were executed, in order."""
    executed: list[str] = []
    for step in ("_parse", "_measure", "_validation_errors"):
        inner = getattr(OperationPolicy, step)

        def record(self, *args, inner=inner, step=step, **kwargs):
            executed.append(step)
            return inner(self, *args, **kwargs)

        monkeypatch.setattr(OperationPolicy, step, record)
    return executed


async def test_a_document_is_analysed_once(serve, steps):
    api = await serve()
    for _ in range(3):
        await api(PAGE, first=3)
    assert steps == ["_parse", "_measure", "_validation_errors"]


async def test_each_page_size_is_measured_once(serve, steps):
    api = await serve()
    costs = [
        (await api.answer(PAGE, first=first))["extensions"]["cost"]["requested"] for first in (1, 50, 1, 50)
    ]
    assert costs[0] < costs[1]
    assert costs == costs[:2] * 2
    assert steps.count("_measure") == 2


async def test_an_expensive_page_is_rejected_after_a_cheap_one(serve):
    api = await serve(cost=30)
    assert "errors" not in await api.answer(PAGE, first=1)
    assert (await api.answer(PAGE, first=50))["errors"][0]["extensions"]["code"] == "QUERY_TOO_LARGE"
    assert "errors" not in await api.answer(PAGE, first=1)


async def test_introspection_depends_on_the_caller(serve, tokens):
    api = await serve(production=True)
    for role, may in ((Role.DISPATCHER, True), (Role.AUDITOR, False), (Role.DISPATCHER, True), (None, False)):
        act_as(api, tokens, role)
        assert ("errors" in await api.answer(INTROSPECTION)) is not may


async def test_validation_errors_are_cached(serve, steps):
    api = await serve()
    first, second = [await api.answer("{ nobody }") for _ in range(2)]
    assert first["errors"] == second["errors"]
    assert steps.count("_validation_errors") == 1


async def test_operations_of_a_document_have_their_own_plans(serve):
    api = await serve()
    both = "query A { viewer { role } } query B { viewer { subject } }"
    for name, field in (("A", "role"), ("B", "subject"), ("A", "role")):
        response = await api.client.post("/graphql", json={"query": both, "operationName": name})
        assert list(response.json()["data"]["viewer"]) == [field]


def test_the_cache_is_bounded_by_documents_and_bytes(monkeypatch):
    monkeypatch.setattr(document_cache, "MAX_DOCUMENTS", 3)
    monkeypatch.setattr(document_cache, "MAX_BYTES", 12 * document_cache._BYTES_PER_CHARACTER)
    cache = document_cache.DocumentCache()

    def add(text):
        cache.add(CachedDocument(text, parse("{ a }")))

    for text in ("aa", "bb", "cc"):
        add(text)
    assert cache["aa"].text == "aa"
    add("dd")
    assert sorted(cache) == ["aa", "cc", "dd"]
    add("eeeeee")
    assert sorted(cache) == ["dd", "eeeeee"]
    add("f" * 13)
    assert sorted(cache) == ["dd", "eeeeee"]


async def test_a_document_larger_than_the_cache_is_executed(monkeypatch, serve, steps):
    monkeypatch.setattr(document_cache, "MAX_BYTES", 1000)
    api = await serve()
    for _ in range(2):
        assert "errors" not in await api.answer(PAGE, first=1)
    assert steps.count("_parse") == 2


ASSIGNMENT = """fragment A on Assignment { __typename id status assignmentReason assignmentTier
    completionStatus diagnosis actionsTaken notes escalationReason rejectionReason timeSpentHours completedAt
    assignedAt ticket { id } engineer { id name level region skills isActive } }"""
MAX_PLANNED = 17_000
"""Fields in the plans of all documents in a quarter of the cache."""


@when_compiled
async def test_the_cache_is_bounded_by_planned_fields(monkeypatch, serve, make):
    monkeypatch.setattr(document_cache, "MAX_BYTES", document_cache.MAX_BYTES // 4)
    api = await serve(bucket=10**9)
    assignment = await make.assigned()
    conditions = ["@skip(if: $x)", "@skip(if: $y)", *[""] * 16]
    roots = " ".join(
        f'a{i}: assignment(id: "{assignment.id}") {condition} {{ ...A }}'
        for i, condition in enumerate(conditions)
    )
    query = f"query ($x: Boolean!, $y: Boolean!) {{ {roots} }} {ASSIGNMENT}"
    before = planned_fields()
    executed = 0
    while executed < 2 * MAX_PLANNED:
        text = f"{query} # {executed}"
        for skipped in product((False, True), repeat=2):
            data = await api(text, **dict(zip("xy", skipped, strict=True)))
            executed += sum(len(root) for root in data.values())
    assert planned_fields() - before < MAX_PLANNED


def planned_fields() -> int:
    gc.collect()
    return sum(isinstance(each, Field) for each in gc.get_objects())


@when_compiled
async def test_the_first_plans_of_a_document_are_charged(serve):
    api = await serve(refill_per_s=0.001)
    query = "query ($x: Boolean!) { viewer { role subject @skip(if: $x) } }"

    async def points(*, x: bool) -> int:
        """The points that the next operation finds missing."""
        before = (await api.answer("{ __typename }"))["extensions"]["cost"]["remaining"]
        await api(query, x=x)
        return before - (await api.answer("{ __typename }"))["extensions"]["cost"]["remaining"]

    await api("{ __typename }")
    cost = 1 + 2 + 2
    planned = [await points(x=x) - cost for x in (False, True, False, True)]
    assert planned == [3 * PLANNED_FIELD_COST, 2 * PLANNED_FIELD_COST, 0, 0]


async def test_the_size_of_the_cache_is_a_metric(serve):
    api = await serve()
    await api(PAGE, first=1)
    metrics = (await api.client.get("/metrics")).text
    assert f"baton_document_cache_bytes {document_cache.MAX_BYTES / document_cache.MAX_DOCUMENTS}" in metrics
