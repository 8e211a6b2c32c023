"""Connections page through every item once; filters and searches match the right items."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.domain.lifecycle import TERMINAL_TICKET_STATUSES
from app.domain.model import AssignmentStatus, EngineerId, TicketPriority, TicketStatus
from tests.databases import delete_all_rows

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAGE = """pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    edges { cursor node { id } } nodes { id } totalCount"""


async def read_pages(ask: Any, query: str, *path: str, **variables: Any) -> tuple[list[str], set[int]]:
    """Check each page of the connection at `path`; return all ids in order, and the values of totalCount."""
    ids: list[str] = []
    counts = set()
    after = None
    while True:
        page = await ask(query, after=after, **variables)
        for name in path:
            page = page[name]
        info, nodes = page["pageInfo"], [node["id"] for node in page["nodes"]]
        cursors = [edge["cursor"] for edge in page["edges"]]
        assert [edge["node"]["id"] for edge in page["edges"]] == nodes
        first_and_last = [cursors[0], cursors[-1]] if nodes else [None, None]
        assert [info["startCursor"], info["endCursor"]] == first_and_last
        assert info["hasPreviousPage"] is (after is not None)
        assert len(nodes) <= variables["first"]
        assert len(nodes) == variables["first"] or not info["hasNextPage"]
        ids += nodes
        counts.add(page["totalCount"])
        if not info["hasNextPage"]:
            return ids, counts
        after = info["endCursor"]


@pytest.mark.parametrize("first", [1, 3, 4, 12, 100])
async def test_pages_of_engineers_have_each_once_by_name(ask, make, first):
    names = ["Émile", "Ana", "Ana", "ana", "Zoë", "Ana", "", "Bo", "Łukasz", "Ana", "Bo", "Cy"]
    engineers = [(name, await make.engineer(name)) for name in names]
    query = f"query ($first: Int!, $after: String) {{ engineers(first: $first, after: $after) {{ {PAGE} }} }}"
    ids, counts = await read_pages(ask, query, "engineers", first=first)
    assert ids == [str(engineer) for _, engineer in sorted(engineers)]
    assert counts == {len(names)}


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("ana", {"Ana Lima", "Susana Roy"}),
        ("LIMA", {"Ana Lima"}),
        ("north", {"Bo Berg", "100% Fit"}),
        ("%", {"100% Fit"}),
        ("_", {"Under_score"}),
        ("\\", {"Back\\slash"}),
        ("  lima ", {"Ana Lima"}),
        ("", {"Ana Lima", "Susana Roy", "Bo Berg", "100% Fit", "Under_score", "Back\\slash"}),
        ("nobody", set()),
    ],
)
async def test_search_matches_part_of_name_or_region(ask, make, search, expected):
    for name, region in (
        ("Ana Lima", "South"),
        ("Susana Roy", None),
        ("Bo Berg", "Northwest"),
        ("100% Fit", "North"),
        ("Under_score", None),
        ("Back\\slash", None),
    ):
        await make.engineer(name, home_region=region)
    data = await ask(
        "query ($search: String) { engineers(search: $search) { nodes { name } totalCount } }", search=search
    )
    assert {node["name"] for node in data["engineers"]["nodes"]} == expected
    assert data["engineers"]["totalCount"] == len(expected)


@pytest.mark.parametrize("first", [1, 4, 100])
@pytest.mark.parametrize(
    "statuses", [None, [], ["ESCALATED"], ["ASSIGNED", "COMPLETED"], ["FAILED", "FAILED"]], ids=str
)
async def test_pages_of_assignments_have_each_once_newest_first(ask, make, first, statuses):
    engineer, other_engineer = await make.engineer(), await make.engineer()
    ended = [AssignmentStatus.ESCALATED, AssignmentStatus.COMPLETED, AssignmentStatus.FAILED]
    matching = []
    for n in range(16):
        status = AssignmentStatus.ASSIGNED if n < 3 else ended[n % 3]
        columns = {"engineer_id": engineer if n % 4 else other_engineer, "status": status}
        assigned_at = NOON + timedelta(minutes=n // 3)
        row_id = await make.legacy_assignment(
            ticket_id=await make.ticket(), assigned_at=assigned_at, **columns
        )
        if n % 4 and (statuses is None or status.name in statuses):
            matching.append((assigned_at, row_id))
    query = f"""query ($first: Int!, $after: String, $id: ID!, $status: [AssignmentStatus!]) {{
        engineer(id: $id) {{ assignments(first: $first, after: $after, status: $status) {{ {PAGE} }} }} }}"""
    variables = {"first": first, "id": str(engineer), "status": statuses}
    ids, counts = await read_pages(ask, query, "engineer", "assignments", **variables)
    assert ids == [str(row_id) for _, row_id in sorted(matching, reverse=True)]
    assert counts == {len(matching)}


async def test_active_assignments_exclude_ended_ones(ask, make, world):
    assignment = await make.assigned()
    query = "query ($id: ID!) { engineer(id: $id) { activeAssignments assignments { totalCount } } }"
    engineer = str(assignment.engineer_id)
    total = {"assignments": {"totalCount": 1}}
    assert (await ask(query, id=engineer))["engineer"] == total | {"activeAssignments": 1}
    await world.escalate(assignment)
    assert (await ask(query, id=engineer))["engineer"] == total | {"activeAssignments": 0}


ENGINEERS = [EngineerId(UUID(int=n)) for n in (1, 2)]
TEXTS = ["St. Mary", "St.\u00a0\tMary", "100% Care", "100 Care", "A_B", "AxB", "a\\b", "Élan", ""]

ticket_rows = st.lists(
    st.fixed_dictionaries(
        {
            "minute": st.integers(0, 2),
            "status": st.sampled_from(TicketStatus),
            "priority": st.sampled_from(TicketPriority),
            "customer": st.sampled_from([*TEXTS, None]),
            "current": st.none() | st.tuples(st.sampled_from(ENGINEERS), st.integers(1, 3)),
        }
    ),
    max_size=12,
)
NEW_TICKET = {
    "minute": 0,
    "status": TicketStatus.NEW,
    "priority": TicketPriority.LOW,
    "customer": None,
    "current": None,
}
filters = st.fixed_dictionaries(
    {},
    optional={
        "status": st.none() | st.lists(st.sampled_from(TicketStatus), max_size=3),
        "priority": st.none() | st.lists(st.sampled_from(TicketPriority), max_size=3),
        "engineerId": st.none() | st.sampled_from([*ENGINEERS, EngineerId(UUID(int=3))]),
        "tier": st.none() | st.integers(1, 5),
        "unassigned": st.none() | st.booleans(),
        "search": st.none()
        | st.sampled_from([*TEXTS, "% c", "_", "\\", " st.  MARY", "sr-0", "care", "t.%m", "nobody"]),
    },
)


def matches(row: dict[str, Any], filter_: dict[str, Any]) -> bool:
    """The reference model of TicketFilter."""
    conditions = {name: value for name, value in filter_.items() if value is not None}
    engineer, tier = row["current"] or (None, None)
    is_open = row["status"] not in TERMINAL_TICKET_STATUSES
    text = " ".join(f"{row['number']} {row['customer'] or ''} ".split())
    search = " ".join(conditions.get("search", "").split())
    return (
        row["status"] in conditions.get("status", TicketStatus)
        and row["priority"] in conditions.get("priority", TicketPriority)
        and conditions.get("engineerId", engineer) == engineer
        and conditions.get("tier", tier) == tier
        and search.lower() in text.lower()
        and (
            "unassigned" not in conditions
            or (row["current"] is not None and not conditions["unassigned"])
            or (row["current"] is None and conditions["unassigned"] and (is_open or "status" in conditions))
        )
    )


async def replace_tickets(tx: Any, rows: list[dict[str, Any]]) -> None:
    await delete_all_rows(tx)
    await tx.executemany("INSERT INTO engineers (id, name) VALUES ($1, 'Ana')", [[e] for e in ENGINEERS])
    columns = ("id", "number", "status", "priority", "customer")
    await tx.executemany(
        """INSERT INTO service_tickets (id, ticket_number, status, priority, customer_name, created_at)
           VALUES ($1, $2, $3, $4, $5, $6)""",
        [(*(row[name] for name in columns), NOON + timedelta(minutes=row["minute"])) for row in rows],
    )
    await tx.executemany(
        """INSERT INTO engineer_assignments (ticket_id, engineer_id, assignment_sequence, assignment_tier,
               assignment_tier_name, assignment_type, status, origin)
           VALUES ($1, $2, 1, $3, 'Tier', 'manual', 'assigned', 'legacy')""",
        [(row["id"], *row["current"]) for row in rows if row["current"]],
    )


@pytest.fixture
async def ask_often(serve):
    """An application with room for thousands of counts."""
    return await serve(bucket=10**9)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ticket_rows, filter_=filters, first=st.integers(1, 4))
@example(rows=[dict(NEW_TICKET)], filter_={"status": [TicketStatus.NEW, TicketStatus.NEW]}, first=2)
async def test_a_filter_matches_the_same_tickets_as_its_model(ask_often, db, rows, filter_, first):
    for n, row in enumerate(rows):
        row |= {"id": f"T-{n}", "number": f"SR-{n}"}
    # Retried after a deadlock: a running server may read the truncated tables in another order.
    await db.in_transaction(lambda tx: replace_tickets(tx, rows))
    query = f"""query ($first: Int!, $after: String, $filter: TicketFilter) {{
        tickets(first: $first, after: $after, filter: $filter) {{ {PAGE} }} }}"""
    variable = dict(filter_)
    for name in ("status", "priority"):
        if filter_.get(name):
            variable[name] = [value.name for value in filter_[name]]
    if filter_.get("engineerId"):
        variable["engineerId"] = str(filter_["engineerId"])
    ids, counts = await read_pages(ask_often, query, "tickets", first=first, filter=variable)
    matching = [row for row in rows if matches(row, filter_)]
    assert ids == [
        row["id"] for row in sorted(matching, key=lambda row: (row["minute"], row["id"]), reverse=True)
    ]
    assert counts == {len(matching)}


async def test_pages_continue_while_newer_tickets_are_created(ask, make):
    query = """query ($after: String) {
        tickets(first: 2, after: $after) { nodes { id } pageInfo { endCursor } } }"""
    tickets = [await make.ticket(created_at=NOON + timedelta(minutes=n)) for n in range(4)]
    newest = (await ask(query))["tickets"]
    await make.ticket(created_at=NOON + timedelta(hours=1))
    older = (await ask(query, after=newest["pageInfo"]["endCursor"]))["tickets"]
    assert [node["id"] for node in newest["nodes"] + older["nodes"]] == tickets[::-1]


async def test_a_page_has_25_items_by_default(ask, make):
    for _ in range(26):
        await make.ticket()
    query = "query ($first: Int) { tickets(first: $first) { nodes { id } pageInfo { hasNextPage } } }"
    for variables in ({}, {"first": None}):
        page = (await ask(query, **variables))["tickets"]
        assert (len(page["nodes"]), page["pageInfo"]["hasNextPage"]) == (25, True)
