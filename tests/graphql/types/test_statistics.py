"""Statistics over HTTP: all figures of a known history, pages, filters and invalid arguments."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.queries.history import BEGIN, DAYS, History

PERIOD = {"from": "2026-03-02T00:00:00+01:00", "to": "2026-03-09T00:00:00+01:00"}
WHOLE_HISTORY = {"from": str(BEGIN - timedelta(days=1)), "to": str(BEGIN + timedelta(days=DAYS + 120))}
STATISTICS = """query($from: DateTime!, $to: DateTime!, $filter: StatisticsFilter) {{
    statistics(from: $from, to: $to, filter: $filter) {{ {} }} }}"""
ALL_FIGURES = (
    STATISTICS.format("""
    tickets { tickets escalated escalatedShare averageEscalations byEscalations { escalations tickets } }
    escalations { fromTier toTier manual automatic }
    engineers { totalCount nodes {
        engineer { name } timeSpentHours assignments accepted meanSecondsToAccept completed failed rejected
        escalatedToManually escalatedToAutomatically escalatedFromManually escalatedFromAutomatically
        reassigned cancelled
    } }
    timeToAccept { ...Durations } timeToResolve { ...Durations }
    outcomes { status completionStatus assignments }
    rejections { reason assignments }
    timeByTier { tier assignments timeSpentHours }
    timeByEquipmentModel { ...TimeSpent } timeByCustomer { ...TimeSpent }
    series(interval: WEEK, timeZone: "Europe/Berlin") {
        start tickets assignments escalations completed timeSpentHours }
""")
    + """
fragment Durations on Durations { counted leftOut meanSeconds p50Seconds p95Seconds }
fragment TimeSpent on TimeSpentConnection { totalCount nodes { name assignments timeSpentHours } }
"""
)


@pytest.fixture
async def history(make) -> None:
    """Ana rejects a ticket at tier 1, Ben escalates it to tier 2, Cy resolves it; and one legacy row."""
    ana, ben, cy = [await make.engineer(name) for name in ("Ana", "Ben", "Cy")]
    scanner = await make.equipment(model="Auriga")
    start, hour = datetime(2026, 3, 4, 8, tzinfo=UTC), timedelta(hours=1)
    columns = {"customer_name": "St. Mary", "equipment_id": scanner, "created_at": start - hour}
    ticket, legacy_ticket = await make.ticket(**columns), await make.ticket(**columns)
    for row in (
        {"engineer_id": ana, "status": "rejected", "assigned_at": start, "rejected_at": start + hour,
         "rejection_reason": "too far"},
        {"engineer_id": ben, "assignment_sequence": 2, "status": "escalated", "assigned_at": start + hour,
         "accepted_at": start + 2 * hour, "completed_at": start + 3 * hour, "completion_status": "escalated",
         "escalation_reason": "x", "time_spent_hours": "1.25"},
        {"engineer_id": cy, "assignment_sequence": 3, "assignment_tier": 2, "assignment_type": "escalation",
         "status": "completed", "assigned_at": start + 3 * hour, "accepted_at": start + 3.5 * hour,
         "completed_at": start + 5 * hour, "completion_status": "success", "time_spent_hours": "0.50"},
    ):  # fmt: skip
        await make.legacy_assignment(ticket_id=ticket, equipment_id=scanner, origin="live", **row)
    await make.legacy_assignment(
        ticket_id=legacy_ticket,
        equipment_id=scanner,
        engineer_id=cy,
        status="completed",
        assigned_at=start,
        completed_at=start + 9 * hour,
    )


def durations(counted: int, left_out: int, mean: str | None, p50: str | None, p95: str | None) -> dict:
    percentiles = {"p50Seconds": p50, "p95Seconds": p95}
    return {"counted": counted, "leftOut": left_out, "meanSeconds": mean, **percentiles}


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [("", 8), ("(unit: MONTH)", 1), ("(interval: WEEK)", 2), ("(interval: WEEK, unit: MONTH)", 2)],
)
async def test_the_interval_replaces_the_unit(ask, arguments, rows):
    statistics = (await ask(STATISTICS.format(f"series{arguments} {{ start }}"), **PERIOD))["statistics"]
    assert len(statistics["series"]) == rows


async def test_all_figures_of_a_week(ask, history):
    engineer = {
        "assignments": 1, "accepted": 0, "meanSecondsToAccept": None, "escalatedToManually": 0,
        "escalatedToAutomatically": 0, "completed": 0, "failed": 0, "rejected": 0, "escalatedFromManually": 0,
        "escalatedFromAutomatically": 0, "reassigned": 0, "cancelled": 0, "timeSpentHours": "0.00",
    }  # fmt: skip
    spent = {"totalCount": 1, "nodes": [{"assignments": 4, "timeSpentHours": "1.75"}]}
    assert (await ask(ALL_FIGURES, **PERIOD))["statistics"] == {
        "tickets": {"tickets": 2, "escalated": 1, "escalatedShare": "0.5000", "averageEscalations": "0.5000"}
        | {"byEscalations": [{"escalations": 0, "tickets": 1}, {"escalations": 1, "tickets": 1}]},
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
        # The legacy row has neither time.
        "timeToAccept": durations(2, 1, "2700.000", "1800.000", "3600.000"),
        "timeToResolve": durations(1, 1, "21600.000", "21600.000", "21600.000"),
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
            {"start": "2026-03-02", "tickets": 2, "assignments": 4, "escalations": 1, "completed": 2}
            | {"timeSpentHours": "1.75"}
        ],
    }


async def test_all_figures_of_an_empty_period(ask):
    figures = (await ask(ALL_FIGURES, **PERIOD))["statistics"]
    assert figures["tickets"]["averageEscalations"] is None
    assert figures["timeToAccept"] == durations(0, 0, None, None, None)
    assert [part["start"] for part in figures["series"]] == ["2026-03-02"]
    assert figures["series"][0]["timeSpentHours"] == "0.00"


@pytest.mark.parametrize(
    ("field", "node"),
    [("engineers", "engineer { id }"), ("timeByCustomer", "name"), ("timeByEquipmentModel", "name")],
)
async def test_pages_have_each_item_once_most_hours_first(ask, db, field, node):
    async with db.connection() as conn:
        await History(seed=3, tickets=60).load(conn)
    page = f"totalCount pageInfo {{ endCursor hasNextPage }} nodes {{ {node} timeSpentHours }}"
    connection = f"{field}(first: %s) {{ {page} }}"
    complete = (await ask(STATISTICS.format(connection % 100), **WHOLE_HISTORY))["statistics"][field]
    hours = [float(node["timeSpentHours"]) for node in complete["nodes"]]
    assert hours == sorted(hours, reverse=True)
    assert len(hours) == complete["totalCount"] > 2
    nodes, after = [], ""
    while True:
        page = (await ask(STATISTICS.format(connection % f"1{after}"), **WHOLE_HISTORY))["statistics"][field]
        nodes += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = f', after: "{page["pageInfo"]["endCursor"]}"'
    assert nodes == complete["nodes"]


@pytest.mark.parametrize(
    ("selection", "variables", "field"),
    [
        ("tickets { tickets }", {"from": PERIOD["to"]}, "to"),
        ("tickets { tickets }", {"to": "2027-03-04T00:00:00Z"}, "to"),
        ("tickets { tickets }", {"filter": {"tier": 0}}, "filter.tier"),
        ("tickets { tickets }", {"filter": {"engineerId": "x"}}, "filter.engineerId"),
        ("tickets { tickets }", {"filter": {"customer": "\0"}}, "filter.customer"),
        ('series(timeZone: "Middle/Earth") { tickets }', {}, "timeZone"),
        ('series(timeZone: "localtime") { tickets }', {}, "timeZone"),
        ('engineers(after: "x") { totalCount }', {}, "after"),
        ('timeByCustomer(after: "WyJOYU4iLCIiXQ==") { totalCount }', {}, "after"),
        ("timeByCustomer(first: 101) { totalCount }", {}, "first"),
    ],
)
async def test_an_invalid_argument_is_named_in_the_error(ask, selection, variables, field):
    [error] = (await ask.answer(STATISTICS.format(selection), **PERIOD | variables))["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field.removeprefix("filter.")}


async def test_only_selected_figures_are_computed(statements, ask_own):
    statements.clear()
    await ask_own(STATISTICS.format("outcomes { assignments }"), **PERIOD)
    executed = [name for name in statements if name.startswith(("server.", "statistics."))]
    assert executed == ["server.plan_for_values", "statistics.outcomes"]


async def test_filters_by_customer_model_and_tier(ask, history):
    query = STATISTICS.format("outcomes { assignments }")
    for filter_, expected in (
        ({"customer": "St. Mary"}, 4),
        ({"customer": "St. M"}, 0),
        ({"equipmentModel": "Auriga", "tier": 2}, 1),
        ({"equipmentModel": "auriga"}, 0),
    ):
        outcomes = (await ask(query, **PERIOD, filter=filter_))["statistics"]["outcomes"]
        assert sum(outcome["assignments"] for outcome in outcomes) == expected
