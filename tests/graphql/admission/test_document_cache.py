"""A document that was let through before: what depends on who asks, and for how much, is looked at again."""

from __future__ import annotations

import pytest

from app.domain.model import Role
from app.graphql.admission.policy import OperationPolicy
from tests.graphql.conftest import act_as

PAGE = "query ($first: Int!) { tickets(first: $first) { nodes { id } } }"
NAMES = "{ __schema { queryType { name } } }"


@pytest.fixture
def looked_at(monkeypatch) -> list[str]:
    """What was worked out of a text, in order."""
    seen: list[str] = []
    for step in ("_parse", "_measure", "_validation_errors"):
        inner = getattr(OperationPolicy, step)

        def noticed(self, *given, inner=inner, step=step, **named):
            seen.append(step)
            return inner(self, *given, **named)

        monkeypatch.setattr(OperationPolicy, step, noticed)
    return seen


async def test_a_text_is_worked_out_once(serve, looked_at):
    api = await serve()
    for _ in range(3):
        await api(PAGE, first=3)
    assert looked_at == ["_parse", "_measure", "_validation_errors"]


async def test_another_page_costs_what_it_costs_and_is_measured_once(serve, looked_at):
    api = await serve()
    costs = [
        (await api.answer(PAGE, first=first))["extensions"]["cost"]["requested"] for first in (1, 50, 1, 50)
    ]
    assert costs[0] < costs[1]
    assert costs == costs[:2] * 2
    assert looked_at.count("_measure") == 2


async def test_a_page_that_costs_too_much_is_refused_after_one_that_did_not(serve):
    api = await serve(cost=30)
    assert "errors" not in await api.answer(PAGE, first=1)
    assert (await api.answer(PAGE, first=50))["errors"][0]["extensions"]["code"] == "QUERY_TOO_LARGE"
    assert "errors" not in await api.answer(PAGE, first=1)


async def test_who_may_not_read_the_schema_may_not_after_somebody_who_may(serve, tokens):
    api = await serve(production=True)
    for role, may in ((Role.DISPATCHER, True), (Role.AUDITOR, False), (Role.DISPATCHER, True), (None, False)):
        act_as(api, tokens, role)
        assert ("errors" in await api.answer(NAMES)) is not may


async def test_mistakes_are_told_each_time(serve, looked_at):
    api = await serve()
    first, second = [await api.answer("{ nobody }") for _ in range(2)]
    assert first["errors"] == second["errors"]
    assert looked_at.count("_validation_errors") == 1


async def test_several_operations_of_a_document_keep_their_own_plans(serve):
    api = await serve()
    both = "query A { viewer { role } } query B { viewer { subject } }"
    for name, field in (("A", "role"), ("B", "subject"), ("A", "role")):
        response = await api.client.post("/graphql", json={"query": both, "operationName": name})
        assert list(response.json()["data"]["viewer"]) == [field]
