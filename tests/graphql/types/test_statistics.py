"""Statistics over HTTP: a history that is told in full, pages, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.db import sql
from tests.databases import capture_statements
from tests.queries.history import BEGIN, DAYS, History

if TYPE_CHECKING:
    from app.db.pool import Database
    from app.domain.model import EngineerId

PERIOD = {"from": "2026-03-02T00:00:00+01:00", "to": "2026-03-09T00:00:00+01:00"}
WHOLE = {"from": str(BEGIN - timedelta(days=1)), "to": str(BEGIN + timedelta(days=DAYS + 120))}
ASK = """query($from: DateTime!, $to: DateTime!, $filter: StatisticsFilter) {{
    statistics(from: $from, to: $to, filter: $filter) {{ {} }} }}"""
EVERYTHING = (
    ASK.format("""
    tickets { tickets escalated escalatedShare averageEscalations byEscalations { escalations tickets } }
    escalations { fromTier toTier manual automatic }
    engineers { totalCount nodes {
        engineer { name } timeSpentHours assignments accepted meanSecondsToAccept completed failed rejected
        escalatedToManually escalatedToAutomatically escalatedFromManually escalatedFromAutomatically
        reassigned cancelled
    } }
    timeToAccept { ...Took } timeToResolve { ...Took }
    outcomes { status completionStatus assignments }
    rejections { reason assignments }
    timeByTier { tier assignments timeSpentHours }
    timeByEquipmentModel { ...Spent } timeByCustomer { ...Spent }
    series(unit: WEEK, timeZone: "Europe/Berlin") {
        start tickets assignments escalations completed timeSpentHours }
""")
    + """
fragment Took on Durations { counted leftOut meanSeconds p50Seconds p95Seconds }
fragment Spent on TimeSpentConnection { totalCount nodes { name assignments timeSpentHours } }
"""
)


@pytest.fixture
async def told(db: Database, make) -> None:
    """Ana declines a ticket at tier 1, Ben hands it up to tier 2, where Cy resolves it. Then an old row."""
    ana, ben, cy = [await make.engineer(name) for name in ("Ana", "Ben", "Cy")]
    scanner = await make.equipment(model="Auriga")
    at = datetime(2026, 3, 4, 8, tzinfo=UTC)
    hour = timedelta(hours=1)
    new, old = [
        await make.ticket(customer_name="St. Mary", equipment_id=scanner, created_at=at - hour) for _ in "12"
    ]

    async def turn(sequence: int, tier: int, engineer: EngineerId, status: str, **more: Any) -> None:
        given = {"ticket_id": new, "equipment_id": scanner, "assignment_tier_name": "Tier"} | more
        of = {"assignment_sequence": sequence, "assignment_tier": tier, "engineer_id": engineer}
        await make._insert("engineer_assignments", **given, **of, status=status)

    await turn(1, 1, ana, "rejected", assigned_at=at, rejected_at=at + hour, rejection_reason="too far")
    escalated = {"completion_status": "escalated", "escalation_reason": "x", "time_spent_hours": "1.25"}
    times = {"assigned_at": at + hour, "accepted_at": at + 2 * hour, "completed_at": at + 3 * hour}
    await turn(2, 1, ben, "escalated", **times, **escalated)
    done = {"completion_status": "success", "time_spent_hours": "0.50", "assignment_type": "escalation"}
    times = {"assigned_at": at + 3 * hour, "accepted_at": at + 3.5 * hour, "completed_at": at + 5 * hour}
    await turn(3, 2, cy, "completed", **times, **done)
    times = {"assigned_at": at, "completed_at": at + 9 * hour}
    await turn(1, 1, cy, "completed", ticket_id=old, origin="legacy", **times)


async def test_a_week_is_told_in_full(ask, told):
    engineer = {
        "assignments": 1, "accepted": 0, "meanSecondsToAccept": None, "escalatedToManually": 0,
        "escalatedToAutomatically": 0, "completed": 0, "failed": 0, "rejected": 0, "escalatedFromManually": 0,
        "escalatedFromAutomatically": 0, "reassigned": 0, "cancelled": 0, "timeSpentHours": "0.00",
    }  # fmt: skip
    spent = {"totalCount": 1, "nodes": [{"assignments": 4, "timeSpentHours": "1.75"}]}
    assert (await ask(EVERYTHING, **PERIOD))["statistics"] == {
        "tickets": {
            "tickets": 2,
            "escalated": 1,
            "escalatedShare": "0.5000",
            "averageEscalations": "0.5000",
            "byEscalations": [{"escalations": 0, "tickets": 1}, {"escalations": 1, "tickets": 1}],
        },
        "escalations": [{"fromTier": 1, "toTier": 2, "manual": 1, "automatic": 0}],
        "engineers": {
            "totalCount": 3,
            "nodes": [
                engineer
                | {"engineer": {"name": "Ben"}, "accepted": 1, "meanSecondsToAccept": "3600.000"}
                | {"escalatedFromManually": 1, "timeSpentHours": "1.25"},
                engineer
                | {"engineer": {"name": "Cy"}, "assignments": 2, "accepted": 1, "completed": 2}
                | {"meanSecondsToAccept": "1800.000", "escalatedToManually": 1, "timeSpentHours": "0.50"},
                engineer | {"engineer": {"name": "Ana"}, "rejected": 1},
            ],
        },
        # The old row tells neither: it is counted, and left out.
        "timeToAccept": {
            "counted": 2,
            "leftOut": 1,
            "meanSeconds": "2700.000",
            "p50Seconds": "1800.000",
            "p95Seconds": "3600.000",
        },
        "timeToResolve": {
            "counted": 1,
            "leftOut": 1,
            "meanSeconds": "21600.000",
            "p50Seconds": "21600.000",
            "p95Seconds": "21600.000",
        },
        "outcomes": [
            {"status": "COMPLETED", "completionStatus": "SUCCESS", "assignments": 1},
            {"status": "COMPLETED", "completionStatus": None, "assignments": 1},
            {"status": "ESCALATED", "completionStatus": "ESCALATED", "assignments": 1},
            {"status": "REJECTED", "completionStatus": None, "assignments": 1},
        ],
        "rejections": [{"reason": "too far", "assignments": 1}],
        "timeByTier": [
            {"tier": 1, "assignments": 3, "timeSpentHours": "1.25"},
            {"tier": 2, "assignments": 1, "timeSpentHours": "0.50"},
        ],
        "timeByEquipmentModel": {**spent, "nodes": [{"name": "Auriga"} | spent["nodes"][0]]},
        "timeByCustomer": {**spent, "nodes": [{"name": "St. Mary"} | spent["nodes"][0]]},
        "series": [
            {
                "start": "2026-03-02",
                "tickets": 2,
                "assignments": 4,
                "escalations": 1,
                "completed": 2,
                "timeSpentHours": "1.75",
            }
        ],
    }


async def test_a_time_without_anything_is_told_in_full_too(ask):
    found = (await ask(EVERYTHING, **PERIOD))["statistics"]
    assert found["tickets"]["averageEscalations"] is None
    assert found["timeToAccept"] == {
        "counted": 0,
        "leftOut": 0,
        "meanSeconds": None,
        "p50Seconds": None,
        "p95Seconds": None,
    }
    assert [part["start"] for part in found["series"]] == ["2026-03-02"]
    assert found["series"][0]["timeSpentHours"] == "0.00"


@pytest.mark.parametrize(
    ("field", "node"),
    [("engineers", "engineer { id }"), ("timeByCustomer", "name"), ("timeByEquipmentModel", "name")],
)
async def test_pages_follow_one_another(ask, db, field, node):
    async with db.connection() as conn:
        await History(seed=3, tickets=60).load(conn)
    page = f"totalCount pageInfo {{ endCursor hasNextPage }} nodes {{ {node} timeSpentHours }}"
    listed = f"{field}(first: %s) {{ {page} }}"
    whole = (await ask(ASK.format(listed % 100), **WHOLE))["statistics"][field]
    hours = [float(one["timeSpentHours"]) for one in whole["nodes"]]
    assert hours == sorted(hours, reverse=True)
    assert len(hours) == whole["totalCount"] > 2
    paged, after = [], ""
    while True:
        page = (await ask(ASK.format(listed % f"1{after}"), **WHOLE))["statistics"][field]
        paged += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = f', after: "{page["pageInfo"]["endCursor"]}"'
    assert paged == whole["nodes"]


@pytest.mark.parametrize(
    ("figure", "variables", "field"),
    [
        ("tickets { tickets }", {"from": PERIOD["to"]}, "to"),
        ("tickets { tickets }", {"to": "2027-03-04T00:00:00Z"}, "to"),
        ("tickets { tickets }", {"filter": {"tier": 0}}, "filter.tier"),
        ("tickets { tickets }", {"filter": {"engineerId": "x"}}, "filter.engineerId"),
        ("tickets { tickets }", {"filter": {"customer": "x" * 300}}, "filter.customer"),
        ('series(timeZone: "Middle/Earth") { tickets }', {}, "timeZone"),
        ('series(timeZone: "localtime") { tickets }', {}, "timeZone"),
        ('engineers(after: "x") { totalCount }', {}, "after"),
        ('timeByCustomer(after: "WyJOYU4iLCIiXQ==") { totalCount }', {}, "after"),
        ("timeByCustomer(first: 101) { totalCount }", {}, "first"),
    ],
)
async def test_what_cannot_be_told_is_refused_by_its_name(ask, figure, variables, field):
    [error] = (await ask.answer(ASK.format(figure), **PERIOD | variables))["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field.removeprefix("filter.")}


async def test_a_figure_that_is_not_asked_for_is_not_computed(monkeypatch, serve):
    sent: list[str] = []
    capture_statements(monkeypatch, lambda text: sent.append(sql.statement_name(text)))
    api = await serve()
    sent.clear()
    await api(ASK.format("outcomes { assignments }"), **PERIOD)
    ours = [name for name in sent if name.startswith(("server.", "statistics."))]
    assert ours == ["server.plan_for_values", "statistics.outcomes"]


async def test_a_customer_and_a_model_narrow_to_what_is_theirs(ask, told):
    count = ASK.format("outcomes { assignments }")
    for wanted, found in (
        ({"customer": "St. Mary"}, 4),
        ({"customer": "St. M"}, 0),
        ({"equipmentModel": "Auriga", "tier": 2}, 1),
        ({"equipmentModel": "auriga"}, 0),
    ):
        outcomes = (await ask(count, **PERIOD, filter=wanted))["statistics"]["outcomes"]
        assert sum(outcome["assignments"] for outcome in outcomes) == found
