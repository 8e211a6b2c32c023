"""Concurrent operations share statements and executions; their responses are the same as without."""

import asyncio
import gc
import re
from collections import Counter
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.batch_scheduler import MAX_CONCURRENT, BatchScheduler
from app.db.connections import connect
from app.db.pool import open_database
from app.domain import policy
from app.domain.model import Role
from app.execution.batch import execute_batch
from app.graphql.batching import coalescing
from app.graphql.loaders import Loaders
from tests.databases import until_waiting
from tests.graphql.conftest import PATIENCE_S, Api, when_compiled

CURRENT_ASSIGNMENT = """query H($id: ID!) { ticket(id: $id) {
    id status currentAssignment { id engineer { id name } } } }"""
HISTORY = """query P($id: ID!, $more: Boolean = false) { ticket(id: $id) { escalationCount
    assignmentHistory { id status equipment @include(if: $more) { name } ticket { id } } } }"""
ASSIGNMENT = (
    "query A($id: ID!) { assignment(id: $id) { id ticket { id totalTimeSpentHours } } viewer { role } }"
)
ENGINEER = (
    "query E($id: ID!) { engineer(id: $id) { name activeAssignments assignments(first: 2) { totalCount } } }"
)
PAGE = """query L($id: String) { tickets(first: 2, filter: { search: $id }) { nodes {
    id assignmentHistory { id } } } }"""


async def execute_at_once(api: Api, requests: list[tuple[str, Any, str]]) -> list[Any]:
    """Send documents with their ids and tokens. Returns the responses, without costs and error ids."""

    async def execute(document: str, id_: Any, token: str) -> Any:
        response = await api.client.post(
            "/graphql",
            json={"query": document, "variables": {"id": id_}},
            headers={"Authorization": token} if token else {},
        )
        body = response.json()
        body.pop("extensions", None)
        for error in body.get("errors", ()):
            error["extensions"].pop("id", None)
        return body

    return list(await asyncio.gather(*(execute(*request) for request in requests)))


@pytest.fixture
async def three_assignments(make):
    return [await make.assigned() for _ in range(3)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_concurrent_and_single_responses_are_equal(ask, three_assignments, tokens, data):
    ask.client.headers.pop("Authorization", None)
    callers = [
        "",
        "Bearer x",
        *(
            f"Bearer {tokens.sign(role, engineer_id, ttl_s=600)}"
            for role, engineer_id in [
                (Role.DISPATCHER, None),
                (Role.AUDITOR, None),
                (Role.ENGINEER, three_assignments[0].engineer_id),
                (Role.ENGINEER, three_assignments[1].engineer_id),
            ]
        ),
    ]
    ids = [None, 7, "", "T-none", "x" * 300, str(uuid4())]
    ids += [str(id_) for each in three_assignments for id_ in (each.id, each.ticket_id, each.engineer_id)]
    documents = [CURRENT_ASSIGNMENT, HISTORY, ASSIGNMENT, ENGINEER, PAGE]
    requests = data.draw(
        st.lists(
            st.tuples(st.sampled_from(documents), st.sampled_from(ids), st.sampled_from(callers)),
            min_size=1,
            max_size=14,
        )
    )
    single = [(await execute_at_once(ask, [request]))[0] for request in requests]
    assert await execute_at_once(ask, requests) == single


async def test_twenty_queries_at_once_need_the_statements_of_two(statements, ask_own, make):
    assignments = [await make.assigned() for _ in range(20)]
    token = ask_own.client.headers["Authorization"]
    statements.clear()
    responses = await execute_at_once(
        ask_own, [(CURRENT_ASSIGNMENT, each.ticket_id, token) for each in assignments]
    )
    assert [response["data"]["ticket"]["currentAssignment"]["id"] for response in responses] == [
        str(each.id) for each in assignments
    ]
    assert 1 <= Counter(statements)["tickets.tickets_with_current"] <= MAX_CONCURRENT


async def test_requests_for_the_same_page_share_its_statement(statements, ask_own, make):
    await make.assigned()
    token = ask_own.client.headers["Authorization"]
    statements.clear()
    first, *others = await execute_at_once(ask_own, [(PAGE, "", token)] * 5 + [(PAGE, "none", token)])
    assert first["data"]["tickets"]["nodes"]
    assert others == [first] * 4 + [{"data": {"tickets": {"nodes": []}}}]
    pages = [name for name in statements if "newest" in name]
    assert sorted(pages) == ["tickets.newest_tickets", "tickets.newest_tickets_matching"]


@pytest.mark.usefixtures("no_statement_timeouts")
# A page is read again for those that arrive while the first one reads it.
@pytest.mark.parametrize(("document", "statements"), [(CURRENT_ASSIGNMENT, 1), (PAGE, 2)])
async def test_only_the_last_caller_that_disconnects_cancels_the_statement(
    serve, make, shared_url, document, statements
):
    assignment = await make.assigned()
    api = await serve(read_timeout_s=600)
    request = (document, str(assignment.ticket_id), api.client.headers["Authorization"])
    async with connect(shared_url) as conn:
        for disconnecting in (2, 3):
            async with conn.transaction():
                await conn.execute("LOCK TABLE service_tickets")
                tasks = [asyncio.create_task(execute_at_once(api, [request])) for _ in range(3)]
                await until_waiting(conn, statements)
                for task in tasks[:disconnecting]:
                    task.cancel()
                await asyncio.wait(tasks[:disconnecting])
                if disconnecting == len(tasks):
                    await until_waiting(conn, 0)
            if disconnecting < len(tasks):
                [response] = await asyncio.wait_for(tasks[-1], PATIENCE_S)
                assert response["data"], response


async def test_a_list_has_its_own_visibility(monkeypatch, ask, make):
    assignment = await make.assigned()
    own = policy.PERMISSIONS[Role.DISPATCHER] | {policy.ReadPermission.TICKETS: policy.Access.OWN}
    monkeypatch.setattr(policy, "PERMISSIONS", {**policy.PERMISSIONS, Role.DISPATCHER: own})
    query = "query ($id: ID!) { ticket(id: $id) { id } tickets { totalCount nodes { id } } }"
    data = await ask(query, id=assignment.ticket_id)
    assert data == {"ticket": {"id": assignment.ticket_id}, "tickets": {"totalCount": 0, "nodes": []}}


@when_compiled
@pytest.mark.parametrize("max_cost", [0, coalescing.MAX_GROUP_COST])
async def test_an_expensive_query_is_executed_by_itself(monkeypatch, ask_own, make, max_cost):
    assignments = [await make.assigned() for _ in range(6)]
    token = ask_own.client.headers["Authorization"]
    monkeypatch.setattr(coalescing, "MAX_GROUP_COST", max_cost)
    responses = await execute_at_once(ask_own, [(HISTORY, each.ticket_id, token) for each in assignments])
    assert all(len(response["data"]["ticket"]["assignmentHistory"]) == 1 for response in responses)
    metrics = (await ask_own.client.get("/metrics")).text
    assert ("\nbaton_coalesced_queries_count 0.0\n" in metrics) == (max_cost == 0)


@when_compiled
async def test_a_group_has_a_maximum_cost(monkeypatch, ask, make):
    assignments = [await make.assigned() for _ in range(6)]
    token = ask.client.headers["Authorization"]
    cost = (await ask.answer(HISTORY, id=assignments[0].ticket_id))["extensions"]["cost"]["requested"]
    before = await coalesced(ask)
    monkeypatch.setattr(coalescing, "MAX_GROUP_COST", 2 * cost)
    await execute_at_once(ask, [(HISTORY, each.ticket_id, token) for each in assignments])
    after = await coalesced(ask)
    assert after["sum"] - before["sum"] == len(assignments)
    assert after["count"] - before["count"] >= len(assignments) / 2


async def coalesced(ask: Api) -> Counter[str]:
    metrics = (await ask.client.get("/metrics")).text
    found = re.findall(r"^baton_coalesced_queries_(count|sum) ([\d.]+)$", metrics, re.MULTILINE)
    return Counter({name: int(float(value)) for name, value in found})


@when_compiled
async def test_a_group_with_a_long_response_is_executed_query_by_query(monkeypatch, ask, make):
    batches = []

    async def recording(*args: Any) -> Any:
        batches.append(await execute_batch(*args))
        return batches[-1]

    monkeypatch.setattr(coalescing, "execute_batch", recording)
    assignments = [await make.assigned() for _ in range(6)]
    token = ask.client.headers["Authorization"]
    requests = [(HISTORY, each.ticket_id, token) for each in assignments]
    responses = await execute_at_once(ask, requests)
    assert any(batches)
    batches.clear()
    monkeypatch.setattr(coalescing, "MAX_GROUP_VALUES", 10)
    assert await execute_at_once(ask, requests) == responses
    assert batches
    assert not any(batches)


@pytest.mark.usefixtures("no_statement_timeouts")
async def test_a_group_that_times_out_leaves_nothing_running(serve, make, shared_url):
    assignment = await make.assigned()
    api = await serve(read_timeout_s=0.3)
    request = (CURRENT_ASSIGNMENT, str(assignment.ticket_id), api.client.headers["Authorization"])
    async with connect(shared_url) as conn, conn.transaction():
        await conn.execute("LOCK TABLE service_tickets")
        async with asyncio.timeout(PATIENCE_S):
            responses = await execute_at_once(api, [request] * 5)
        codes = {error["extensions"]["code"] for response in responses for error in response["errors"]}
        assert codes == {"TIMEOUT"}
        await until_waiting(conn, 0)
    assert not [task for task in asyncio.all_tasks() if "_QueryGroup" in repr(task)]


async def test_a_field_that_needs_its_request_starts_nothing_in_a_group(ask, make):
    assignment = await make.assigned()
    request = (ENGINEER, str(assignment.engineer_id), ask.client.headers["Authorization"])
    first, *others = await execute_at_once(ask, [request] * 4)
    gc.collect()  # warns of a coroutine that was never awaited
    assert first["data"]["engineer"]["activeAssignments"] == 1
    assert others == [first] * 3


async def test_a_group_without_callers_accepts_no_query(shared_url):
    async with open_database(shared_url, pool_size=1) as db:
        context = SimpleNamespace(loaders=Loaders(db, BatchScheduler(), frozenset(), None))
        executor: Any = SimpleNamespace(context_value=context)
        plan: Any = None
        group = coalescing._QueryGroup(plan, context)
        assert not group.is_full
        caller = asyncio.create_task(group.execute(executor, 1, 60))
        await asyncio.sleep(0)
        assert not group.is_full
        caller.cancel()
        await asyncio.wait([caller])
        assert group.is_full
        assert group.start() is None
