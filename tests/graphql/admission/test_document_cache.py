"""Cached documents: analysed once, but permissions and costs are checked for each request."""

from __future__ import annotations

import pytest
from graphql import parse

from app.domain.model import Role
from app.graphql.admission import document_cache
from app.graphql.admission.document_cache import CachedDocument
from app.graphql.admission.policy import OperationPolicy
from tests.graphql.conftest import act_as

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


def test_the_cache_is_bounded_by_documents_and_characters(monkeypatch):
    monkeypatch.setattr(document_cache, "MAX_DOCUMENTS", 3)
    monkeypatch.setattr(document_cache, "MAX_CHARACTERS", 12)
    cache = document_cache.document_cache()

    def add(text):
        cache[text] = CachedDocument(text, parse("{ a }"))

    for text in ("aa", "bb", "cc"):
        add(text)
    assert cache["aa"].text == "aa"
    add("dd")
    assert sorted(cache) == ["aa", "cc", "dd"]
    add("eeeeee")
    assert sorted(cache) == ["dd", "eeeeee"]
    with pytest.raises(ValueError, match="too large"):
        add("f" * 13)


async def test_a_document_larger_than_the_cache_is_executed(monkeypatch, serve, steps):
    monkeypatch.setattr(document_cache, "MAX_CHARACTERS", 10)
    api = await serve()
    for _ in range(2):
        assert "errors" not in await api.answer(PAGE, first=1)
    assert steps.count("_parse") == 2
