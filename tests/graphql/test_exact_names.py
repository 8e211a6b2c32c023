"""A filter by name matches exactly this name, in every report; a search finds what looks the same."""

import csv
from datetime import UTC, datetime
from io import StringIO

import pytest

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NAMES = {
    "plain": "St. Anna",
    "trailing space": "St. Anna ",
    "leading space": " St. Anna",
    "tab": "St.\tAnna",
    "trailing tab": "St. Anna\t",
    "no-break space": "St.\u00a0Anna",
    "trailing no-break space": "St. Anna\u00a0",
    "ideographic space": "St.\u3000Anna",
    "line break": "St.\nAnna",
    "two spaces": "St.  Anna",
    "lower case": "st. anna",
    "empty": "",
    "one space": " ",
    "longer than a search": "St. Anna " * 23,
}
LOOK_ALIKE = [name for name in NAMES.values() if "anna" in name.lower()]
OTHER_NAMES = ["St.Anna", "St. Mary and Anna"]
PERIOD = {"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}
BILL = """query($from: DateTime!, $to: DateTime!, $name: String) {
  billableTime(from: $from, to: $to, customer: $name) {
    totals { lines } lines(first: 100) { nodes { ticket { customerName } } } } }"""
STATISTICS = """query($from: DateTime!, $to: DateTime!, $filter: StatisticsFilter) {
  statistics(from: $from, to: $to, filter: $filter) {
    tickets { tickets } timeByCustomer { nodes { name } } timeByEquipmentModel { nodes { name } } } }"""


@pytest.fixture
async def tickets(make) -> dict[str, str]:
    """A billed ticket for each name, which its equipment's model has, too; id by name."""
    engineer, tickets = await make.engineer(), {}
    for name in [*NAMES.values(), *OTHER_NAMES]:
        scanner = await make.equipment(model=name)
        ticket = await make.ticket(customer_name=name, equipment_id=scanner, created_at=NOON)
        await make.legacy_assignment(
            ticket_id=ticket,
            equipment_id=scanner,
            engineer_id=engineer,
            status="completed",
            assigned_at=NOON,
            completed_at=NOON,
            time_spent_hours=1,
        )
        tickets[name] = ticket
    return tickets


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_filters_by_name_match_exactly_this_name(ask, client, tickets, name):
    bill = (await ask(BILL, **PERIOD, name=name))["billableTime"]
    assert bill == {"totals": {"lines": 1}, "lines": {"nodes": [{"ticket": {"customerName": name}}]}}
    file = (await client.get("/billing.csv", params=PERIOD | {"customer": name})).text
    rows = list(csv.DictReader(StringIO(file.removeprefix("\ufeff"), newline="")))
    assert [row["ticket_id"] for row in rows] == [tickets[name]]
    for condition in ("customer", "equipmentModel"):
        figures = (await ask(STATISTICS, **PERIOD, filter={condition: name}))["statistics"]
        assert figures == {
            "tickets": {"tickets": 1},
            "timeByCustomer": {"nodes": [{"name": name}]},
            "timeByEquipmentModel": {"nodes": [{"name": name}]},
        }


@pytest.mark.parametrize("unknown", ["St. Anna  ", "St. Ann", "x" * 5000], ids=len)
async def test_name_that_no_customer_has_matches_nothing(ask, tickets, unknown):
    assert (await ask(BILL, **PERIOD, name=unknown))["billableTime"]["totals"]["lines"] == 0


@pytest.mark.parametrize("search", ["St. Anna", " st.\u00a0 ANNA\t", "t.\nann"])
async def test_search_finds_names_that_look_the_same(ask, make, tickets, search):
    query = """query($search: String) {
        tickets(first: 100, filter: {search: $search}) { totalCount nodes { customerName } }
        engineers(first: 100, search: $search) { totalCount nodes { name } } }"""
    for name in tickets:
        await make.engineer(name)
    found = await ask(query, search=search)
    for items, field in ((found["tickets"], "customerName"), (found["engineers"], "name")):
        assert sorted(node[field] for node in items["nodes"]) == sorted(LOOK_ALIKE)
        assert items["totalCount"] == len(LOOK_ALIKE)
