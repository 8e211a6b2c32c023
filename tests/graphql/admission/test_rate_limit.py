"""The cost of operations, the rate limit of subjects, and the timeout of queries."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from app.db.connections import connect
from app.domain.model import Role
from app.graphql.admission import policy as policy_module
from app.graphql.admission.limits import Limits
from app.graphql.admission.policy import OperationPolicy
from app.graphql.admission.rate_limit import RateLimiter
from app.graphql.admission.trusted_documents import TrustedDocuments
from app.graphql.pagination import DEFAULT_PAGE
from app.graphql.schema import build_schema

EXPENSIVE = "{ tickets(first: 100) { nodes { id } } }"
"""302 points."""


@pytest.mark.parametrize("variables", [{"first": 100}, {"first": 100.0}, {}])
async def test_a_page_size_in_a_variable_is_counted(ask, variables):
    query = "query ($first: Int = 100) { tickets(first: $first) { nodes { id } } }"
    assert (await ask.answer(query, **variables))["extensions"]["cost"]["requested"] == 302


async def test_a_page_has_the_default_size(ask):
    for query in ("{ tickets { nodes { id } } }", "{ tickets(first: null) { edges { cursor } } }"):
        answer = await ask.answer(query)
        assert answer["extensions"]["cost"]["requested"] == 2 + 25 * 3
    arguments = [
        field.args["first"]
        for type_ in build_schema()._schema.type_map.values()
        for field in getattr(type_, "fields", {}).values()
        if "first" in getattr(field, "args", {})
    ]
    assert arguments
    assert {argument.default_value for argument in arguments} == {DEFAULT_PAGE}


async def test_only_the_selected_operation_is_charged(ask):
    document = "query Small { viewer { role } } query Large { tickets(first: 100) { nodes { id } } }"
    for name, cost in (("Small", 3), ("Large", 302)):
        response = await ask.client.post("/graphql", json={"query": document, "operationName": name})
        assert response.json()["extensions"]["cost"]["requested"] == cost


# Rate limit


async def test_the_rate_limit_is_per_subject(serve, tokens):
    api = await serve(cost=500, bucket=1000, refill_per_s=1)
    # The first one is also charged for planning `tickets` and `nodes`; without rows, `id` is not planned.
    remaining = [(await api.answer(EXPENSIVE))["extensions"]["cost"]["remaining"] for _ in range(3)]
    assert remaining == [698, 376, 74]
    answer = await api.answer(EXPENSIVE)
    [error] = answer["errors"]
    assert error["extensions"] == {"code": "RATE_LIMITED", "retryAfterSeconds": 228}
    assert answer["extensions"]["cost"] == {
        "requested": 302,
        "remaining": 74,
        "capacity": 1000,
        "refillPerSecond": 1,
    }
    newer = {"Accept": "application/graphql-response+json"}
    response = await api.client.post("/graphql", json={"query": EXPENSIVE}, headers=newer)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "228")
    assert "errors" not in await api.answer("{ viewer { role } }")
    api.client.headers["Authorization"] = f"Bearer {tokens.sign(Role.AUDITOR, None, ttl_s=60)}"
    assert "errors" not in await api.answer(EXPENSIVE)


async def test_anonymous_callers_share_the_limit_of_their_address(serve):
    api = await serve(cost=500, bucket=500, refill_per_s=1)
    assert "errors" not in await api.answer(EXPENSIVE)
    del api.client.headers["Authorization"]
    codes = [(await api.answer(EXPENSIVE))["errors"][0]["extensions"]["code"] for _ in range(2)]
    assert codes == ["UNAUTHENTICATED", "RATE_LIMITED"]


def test_a_bucket_is_refilled_up_to_its_capacity():
    now = 0.0
    limiter = RateLimiter(Limits(cost=10, bucket=10, refill_per_s=2), clock=lambda: now)
    assert limiter.consume("a", 10) == (0, 0)
    assert limiter.consume("a", 5) == (0, 2.5)
    now = 2.5
    assert limiter.consume("a", 5) == (0, 0)
    now = 1000.0
    assert limiter.consume("a", 1) == (9, 0)


def test_the_least_recently_used_subject_is_dropped():
    limiter = RateLimiter(Limits(cost=10, bucket=10, refill_per_s=1, subjects=2), clock=lambda: 0.0)
    for subject in ("a", "b", "a", "c"):
        limiter.consume(subject, 5)
    assert len(limiter._buckets) == 2
    assert limiter.consume("a", 1).wait_s > 0
    assert limiter.consume("b", 1).remaining == 9


async def test_an_event_waits_until_it_is_paid_for(monkeypatch):
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    # Only that of the module: servers of this process sleep, too.
    monkeypatch.setattr(policy_module, "asyncio", SimpleNamespace(sleep=sleep))
    limits = Limits(cost=10, bucket=20, refill_per_s=5)
    policy = OperationPolicy(build_schema()._schema, limits, production=False, documents=TrustedDocuments())
    policy._rate_limiter = RateLimiter(limits, clock=lambda: now)
    subscription: Any = SimpleNamespace(context=SimpleNamespace(subject="a"), cost=10)
    for _ in range(5):
        await policy.pay_for_event(subscription)
    assert now == (5 * 10 - 20) / 5


# Timeout: batching/test_cancellation.py has that of queries


async def test_a_mutation_does_not_time_out(serve, make, shared_url):
    assignment = await make.assigned()
    api = await serve(read_timeout_s=0.1)
    async with connect(shared_url) as conn, conn.transaction():
        await conn.execute("SELECT FROM service_tickets WHERE id = $1 FOR UPDATE", assignment.ticket_id)
        accept = "mutation ($id: ID!) { acceptAssignment(input: {assignmentId: $id}) { __typename } }"
        answer = asyncio.create_task(api(accept, id=str(assignment.id)))
        await asyncio.sleep(0.4)
    assert await answer == {"acceptAssignment": {"__typename": "Assignment"}}
