"""Who may do and read what: every cell of the table, asked over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import graphql
import pytest

from app.domain.lifecycle import Action
from app.domain.model import Role
from app.domain.policy import PERMISSIONS, ReadPermission
from app.graphql.schema import sdl
from tests.commands.samples import ENGINEERS_MAY, SAMPLES, to_input
from tests.commands.world import World

if TYPE_CHECKING:
    import httpx

    from app.http.auth.tokens import DevelopmentTokens
    from tests.factories import Factories

SCHEMA = graphql.build_schema(sdl())

# Role: what it gets where the assignment, or the engineer, is its own, and where it is another's.
DONE, FORBIDDEN, MISSING = "done", "FORBIDDEN", "…NOT_FOUND"
ALL, OWN, NONE = (DONE, DONE), (DONE, MISSING), (FORBIDDEN, FORBIDDEN)
MUTATIONS = {
    sample.field_name: {
        "admin": ALL,
        "dispatcher": NONE if sample.action is Action.SET_HOURLY_RATE else ALL,
        "engineer": OWN if sample.action in ENGINEERS_MAY else NONE,
        "auditor": NONE,
    }
    for sample in SAMPLES
}
# Role: whether it sees its own, and another's.
SEES_ALL, SEES_OWN = (True, True), (True, False)
QUERIES = {
    root: {"admin": SEES_ALL, "dispatcher": SEES_ALL, "engineer": SEES_OWN, "auditor": SEES_ALL}
    for root in ("ticket", "tickets", "assignment", "engineer", "engineers")
}
READS = {
    "ticket": "query($t: ID!) { ticket(id: $t) { id } }",
    "tickets": "{ tickets { totalCount nodes { id } } }",
    "assignment": "query($a: ID!) { assignment(id: $a) { id } }",
    "engineer": "query($e: ID!) { engineer(id: $e) { id } }",
    "engineers": "{ engineers { totalCount nodes { id } } }",
}


def test_the_tables_name_every_root_and_role():
    assert set(MUTATIONS) == set(SCHEMA.mutation_type.fields)
    assert set(QUERIES) | {"viewer", "billableTime", "hourlyRates", "statistics", "suggestEngineers"} == set(
        SCHEMA.query_type.fields
    )
    assert set(SCHEMA.query_type.fields) | set(SCHEMA.subscription_type.fields) == set(ReadPermission)
    assert all(set(row) == set(Role) for row in (*MUTATIONS.values(), *QUERIES.values()))
    assert set(PERMISSIONS) == set(Role)


@pytest.fixture
def ask_as(client: httpx.AsyncClient, tokens: DevelopmentTokens):
    async def ask(role: Role, engineer_id: Any, query: str, **variables: Any) -> dict[str, Any]:
        token = tokens.sign(role, engineer_id if role is Role.ENGINEER else None, ttl_s=60)
        response = await client.post(
            "/graphql",
            json={"query": query, "variables": variables},
            headers={"Authorization": f"Bearer {token}"},
        )
        return response.json()["data"]

    return ask


@pytest.fixture
async def own_and_other(make: Factories):
    return await make.assigned(), await make.assigned()


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.action)
async def test_mutation_is_permitted_by_role(ask_as, db, make, sample, role):
    operation = (
        f"mutation ($input: {type(sample.command).__name__}Input!)"
        f" {{ result: {sample.field_name}(input: $input) {{ __typename ... on Refusal {{ code }} }} }}"
    )
    own, other = [await sample.prepare(make, World(db)) for _ in range(2)]
    outcomes = []
    for command, _ in (own, other):
        result = (await ask_as(role, own.engineer_id, operation, input=to_input(command)))["result"]
        code = result.get("code", DONE)
        outcomes.append(MISSING if code.endswith("NOT_FOUND") else code)
    assert tuple(outcomes) == MUTATIONS[sample.field_name][role]


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("root", QUERIES)
async def test_a_query_shows_what_the_table_says(ask_as, own_and_other, root, role):
    own, _ = own_and_other
    seen = []
    for held in own_and_other:
        ids = {"t": held.ticket_id, "a": str(held.id), "e": str(held.engineer_id)}
        wanted = {"ticket": ids["t"], "tickets": ids["t"], "assignment": ids["a"]}.get(root, ids["e"])
        asked = {name: value for name, value in ids.items() if f"${name}:" in READS[root]}
        found = (await ask_as(role, own.engineer_id, READS[root], **asked))[root]
        nodes = found["nodes"] if found and "nodes" in found else [found] if found else []
        assert found is None or found.get("totalCount", len(nodes)) == len(nodes)
        seen.append(wanted in [node["id"] for node in nodes])
    assert tuple(seen) == QUERIES[root][role]


@pytest.mark.parametrize("role", Role)
async def test_prices_are_for_the_office(ask_as, own_and_other, role):
    own, _ = own_and_other
    text = """query($e: ID!) {
        billableTime(from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z") { totals { lines } }
        hourlyRates(engineerId: $e) { totalCount } }"""
    found = await ask_as(role, own.engineer_id, text, e=str(own.engineer_id))
    assert found == (
        {"billableTime": None, "hourlyRates": None}
        if role is Role.ENGINEER
        else {"billableTime": {"totals": {"lines": 0}}, "hourlyRates": {"totalCount": 0}}
    )


@pytest.mark.parametrize("role", Role)
async def test_statistics_are_of_all_or_of_own_assignments(ask_as, own_and_other, role):
    own, other = own_and_other
    now = datetime.now(UTC)
    text = """query($from: DateTime!, $to: DateTime!, $filter: StatisticsFilter) {
        statistics(from: $from, to: $to, filter: $filter) {
            tickets { tickets } engineers { totalCount nodes { engineer { id } assignments } } } }"""
    seen = []
    for engineer in (None, own.engineer_id, other.engineer_id):
        found = await ask_as(
            role,
            own.engineer_id,
            text,
            **{"from": str(now - timedelta(days=1)), "to": str(now + timedelta(days=1))},
            filter={"engineerId": None if engineer is None else str(engineer)},
        )
        figures = found["statistics"]
        nodes = {node["engineer"]["id"] for node in figures["engineers"]["nodes"]}
        assert figures["tickets"]["tickets"] == figures["engineers"]["totalCount"] == len(nodes)
        seen.append(nodes)
    mine, theirs = {str(own.engineer_id)}, {str(other.engineer_id)}
    assert seen == ([mine, mine, set()] if role is Role.ENGINEER else [mine | theirs, mine, theirs])


@pytest.mark.parametrize("role", Role)
async def test_engineers_are_suggested_to_those_who_choose(ask_as, own_and_other, role):
    own, other = own_and_other
    text = "query($t: ID!) { suggestEngineers(ticketId: $t) { engineer { id } } }"
    found = await ask_as(role, own.engineer_id, text, t=own.ticket_id)
    expected = None if role is Role.ENGINEER else [{"engineer": {"id": str(other.engineer_id)}}]
    assert found == {"suggestEngineers": expected}


async def test_anothers_and_a_missing_one_are_the_same_to_an_engineer(ask_as, own_and_other):
    own, other = own_and_other
    missing = "0190d3a4-5b6c-7d8e-9f01-23456789abcd"
    accept = """mutation($i: ID!) {
        acceptAssignment(input: {assignmentId: $i}) { __typename ... on Refusal { code message } } }"""
    for text, theirs, nobodys in (
        (READS["ticket"].replace("$t", "$i"), other.ticket_id, "T-0"),
        (READS["assignment"].replace("$a", "$i"), str(other.id), missing),
        (READS["engineer"].replace("$e", "$i"), str(other.engineer_id), missing),
        (accept, str(other.id), missing),
    ):
        found = [
            str(await ask_as(Role.ENGINEER, own.engineer_id, text, i=asked)).replace(asked, "…")
            for asked in (theirs, nobodys)
        ]
        assert found[0] == found[1]


async def test_no_path_through_the_graph_leads_an_engineer_to_others_tickets(ask_as, make):
    mine = await make.assigned()
    colleague = await make.assigned()
    await ask_as(
        Role.ADMIN,
        None,
        "mutation($i: ReassignTicketInput!) { reassignTicket(input: $i) { __typename } }",
        i={"ticketId": mine.ticket_id, "engineerId": str(colleague.engineer_id), "reason": "x"},
    )
    path = """query($t: ID!) { ticket(id: $t) { assignmentHistory { engineer {
        assignments { totalCount nodes { ticket { id } } } } } } }"""
    found = await ask_as(Role.ENGINEER, mine.engineer_id, path, t=mine.ticket_id)
    lists = [turn["engineer"]["assignments"] for turn in found["ticket"]["assignmentHistory"]]
    assert {node["ticket"]["id"] for found in lists for node in found["nodes"]} == {mine.ticket_id}
    assert [found["totalCount"] for found in lists] == [1, 1]


async def test_an_engineer_whose_token_names_none_sees_nothing(ask_as, own_and_other):
    found = await ask_as(Role.ENGINEER, None, READS["tickets"])
    assert found == {"tickets": {"totalCount": 0, "nodes": []}}


@pytest.mark.parametrize(
    "wanted", ["status: NEW", "tier: 1", "unassigned: false", 'search: "SR-"', "unassigned: true"]
)
async def test_every_filter_stays_within_an_engineers_own(ask_as, own_and_other, wanted):
    own, _ = own_and_other
    found = await ask_as(
        Role.ENGINEER, own.engineer_id, f"{{ tickets(filter: {{{wanted}}}) {{ totalCount nodes {{ id }} }} }}"
    )
    assert {node["id"] for node in found["tickets"]["nodes"]} <= {own.ticket_id}
    assert found["tickets"]["totalCount"] == len(found["tickets"]["nodes"])
