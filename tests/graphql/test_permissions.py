"""Every cell of the permission table, checked over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import graphql
import httpx
import pytest

from app.domain.lifecycle import Action
from app.domain.model import Role
from app.domain.policy import PERMISSIONS, ReadPermission
from app.graphql.schema import sdl
from tests.apps import authorization
from tests.commands.samples import ENGINEERS_MAY, SAMPLES, to_input
from tests.factories import Factories

SCHEMA = graphql.build_schema(sdl())

# The results for an assignment (or engineer) of the actor, and for another.
DONE, FORBIDDEN, NOT_FOUND = "done", "FORBIDDEN", "NOT_FOUND"
ALL, OWN, NONE = (DONE, DONE), (DONE, NOT_FOUND), (FORBIDDEN, FORBIDDEN)
MUTATIONS = {
    sample.field_name: {
        "admin": ALL,
        "dispatcher": NONE if sample.action is Action.SET_HOURLY_RATE else ALL,
        "engineer": OWN if sample.action in ENGINEERS_MAY else NONE,
        "auditor": NONE,
    }
    for sample in SAMPLES
}
READS = {
    "ticket": "query($t: ID!) { ticket(id: $t) { id } }",
    "tickets": "{ tickets { totalCount nodes { id } } }",
    "assignment": "query($a: ID!) { assignment(id: $a) { id } }",
    "engineer": "query($e: ID!) { engineer(id: $e) { id } }",
    "engineers": "{ engineers { totalCount nodes { id } } }",
}
OTHER_READS = {"viewer", "billableTime", "hourlyRates", "statistics", "suggestEngineers", "auditEvents"}
UNKNOWN = "0190d3a4-5b6c-7d8e-9f01-23456789abcd"


def test_tables_have_every_root_and_role():
    assert set(MUTATIONS) == set(SCHEMA.mutation_type.fields)
    assert set(READS) | OTHER_READS == set(SCHEMA.query_type.fields)
    assert set(SCHEMA.query_type.fields) | set(SCHEMA.subscription_type.fields) == set(ReadPermission)
    assert all(set(row) == set(Role) for row in MUTATIONS.values())
    assert set(PERMISSIONS) == set(Role)


@pytest.fixture
def ask_as(client: httpx.AsyncClient):
    async def ask(role: Role, engineer_id: Any, query: str, **variables: Any) -> dict[str, Any]:
        headers = authorization(role, engineer_id if role is Role.ENGINEER else None)
        request = {"query": query, "variables": variables}
        return (await client.post("/graphql", json=request, headers=headers)).json()["data"]

    return ask


@pytest.fixture
async def own_and_other(make: Factories):
    return await make.assigned(), await make.assigned()


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.action)
async def test_a_mutation_allows_what_the_table_says(ask_as, make, world, sample, role):
    query = f"""mutation ($input: {type(sample.command).__name__}Input!) {{
        result: {sample.field_name}(input: $input) {{ __typename ... on Refusal {{ code }} }} }}"""
    own, other = [await sample.prepare(make, world) for _ in range(2)]
    results = []
    for command, _ in (own, other):
        before = await world.count_changes()
        result = (await ask_as(role, own.engineer_id, query, input=to_input(command)))["result"]
        code = result.get("code", DONE)
        assert (await world.count_changes() > before) == (code == DONE)
        results.append(NOT_FOUND if code.endswith(NOT_FOUND) else code)
    assert tuple(results) == MUTATIONS[sample.field_name][role]


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("root", READS)
async def test_an_engineer_reads_only_their_own(ask_as, own_and_other, root, role):
    own, _ = own_and_other
    visible = []
    for assignment in own_and_other:
        ids = {"t": assignment.ticket_id, "a": str(assignment.id), "e": str(assignment.engineer_id)}
        variables = {name: value for name, value in ids.items() if f"${name}:" in READS[root]}
        result = (await ask_as(role, own.engineer_id, READS[root], **variables))[root]
        nodes = result["nodes"] if result and "nodes" in result else [result] if result else []
        assert result is None or result.get("totalCount", len(nodes)) == len(nodes)
        visible.append(ids[root[0]] in [node["id"] for node in nodes])
    assert visible == [True, role is not Role.ENGINEER]


@pytest.mark.parametrize("role", Role)
async def test_an_engineer_reads_no_prices(ask_as, own_and_other, role):
    own, _ = own_and_other
    query = """query($e: ID!) {
        billableTime(from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z") { totals { lines } }
        hourlyRates(engineerId: $e) { totalCount } }"""
    assert await ask_as(role, own.engineer_id, query, e=str(own.engineer_id)) == (
        {"billableTime": None, "hourlyRates": None}
        if role is Role.ENGINEER
        else {"billableTime": {"totals": {"lines": 0}}, "hourlyRates": {"totalCount": 0}}
    )


@pytest.mark.parametrize("role", Role)
async def test_statistics_of_an_engineer_cover_their_own_work(ask_as, own_and_other, role):
    own, other = own_and_other
    now = datetime.now(UTC)
    query = """query($from: DateTime!, $to: DateTime!, $filter: StatisticsFilter) {
        statistics(from: $from, to: $to, filter: $filter) {
            tickets { tickets } engineers { totalCount nodes { engineer { id } assignments } } } }"""
    results = []
    for engineer in (None, own.engineer_id, other.engineer_id):
        data = await ask_as(
            role,
            own.engineer_id,
            query,
            **{"from": str(now - timedelta(days=1)), "to": str(now + timedelta(days=1))},
            filter={"engineerId": None if engineer is None else str(engineer)},
        )
        figures = data["statistics"]
        engineers = {node["engineer"]["id"] for node in figures["engineers"]["nodes"]}
        assert figures["tickets"]["tickets"] == figures["engineers"]["totalCount"] == len(engineers)
        results.append(engineers)
    mine, theirs = {str(own.engineer_id)}, {str(other.engineer_id)}
    assert results == ([mine, mine, set()] if role is Role.ENGINEER else [mine | theirs, mine, theirs])


@pytest.mark.parametrize("role", Role)
async def test_an_engineer_gets_no_suggestions(ask_as, own_and_other, role):
    own, other = own_and_other
    query = "query($t: ID!) { suggestEngineers(ticketId: $t) { engineer { id } } }"
    expected = None if role is Role.ENGINEER else [{"engineer": {"id": str(other.engineer_id)}}]
    data = await ask_as(role, own.engineer_id, query, t=own.ticket_id)
    assert data == {"suggestEngineers": expected}


async def test_hidden_and_missing_objects_look_the_same(ask_as, own_and_other):
    own, other = own_and_other
    accept = """mutation($i: ID!) {
        acceptAssignment(input: {assignmentId: $i}) { __typename ... on Refusal { code message } } }"""
    for query, hidden, missing in (
        (READS["ticket"].replace("$t", "$i"), other.ticket_id, "T-0"),
        (READS["assignment"].replace("$a", "$i"), str(other.id), UNKNOWN),
        (READS["engineer"].replace("$e", "$i"), str(other.engineer_id), UNKNOWN),
        (accept, str(other.id), UNKNOWN),
    ):
        responses = [
            str(await ask_as(Role.ENGINEER, own.engineer_id, query, i=id_)).replace(id_, "…")
            for id_ in (hidden, missing)
        ]
        assert responses[0] == responses[1]


async def test_no_path_leads_an_engineer_to_other_tickets(ask_as, make, world):
    own, other = await make.assigned(), await make.assigned()
    await world.act("reassign", own, engineer_id=other.engineer_id)
    query = """query($t: ID!) { ticket(id: $t) { assignmentHistory { engineer {
        assignments { totalCount nodes { ticket { id } } } } } } }"""
    data = await ask_as(Role.ENGINEER, own.engineer_id, query, t=own.ticket_id)
    lists = [node["engineer"]["assignments"] for node in data["ticket"]["assignmentHistory"]]
    assert {node["ticket"]["id"] for page in lists for node in page["nodes"]} == {own.ticket_id}
    assert [page["totalCount"] for page in lists] == [1, 1]


@pytest.mark.parametrize("role", Role)
async def test_active_assignments_count_only_visible_tickets(ask_as, make, world, role):
    """The engineer has two active assignments and one that went to a colleague, who has two others."""
    engineer, colleague = await make.engineer(), await make.engineer()
    own, _, handed_over = [await make.assigned(engineer=engineer) for _ in range(3)]
    for _ in range(2):
        await make.assigned(engineer=colleague)
    await world.act("reassign", handed_over, engineer_id=colleague)
    query = """query($own: ID!, $other: ID!) {
        own: ticket(id: $own) { currentAssignment { engineer { activeAssignments } } }
        other: ticket(id: $other) { currentAssignment { engineer {
            activeAssignments assignments(status: ASSIGNED) { totalCount } } } } }"""
    data = await ask_as(role, engineer, query, own=own.ticket_id, other=handed_over.ticket_id)
    count = 1 if role is Role.ENGINEER else 3
    assert [ticket["currentAssignment"]["engineer"] for ticket in data.values()] == [
        {"activeAssignments": 2},
        {"activeAssignments": count, "assignments": {"totalCount": count}},
    ]


async def test_an_engineer_role_without_engineer_id_reads_nothing(ask_as, own_and_other):
    data = await ask_as(Role.ENGINEER, None, READS["tickets"])
    assert data == {"tickets": {"totalCount": 0, "nodes": []}}


@pytest.mark.parametrize(
    "condition", ["status: NEW", "tier: 1", "unassigned: false", 'search: "SR-"', "unassigned: true"]
)
async def test_no_filter_shows_an_engineer_other_tickets(ask_as, own_and_other, condition):
    own, _ = own_and_other
    query = f"{{ tickets(filter: {{{condition}}}) {{ totalCount nodes {{ id }} }} }}"
    page = (await ask_as(Role.ENGINEER, own.engineer_id, query))["tickets"]
    assert {node["id"] for node in page["nodes"]} <= {own.ticket_id}
    assert page["totalCount"] == len(page["nodes"])
