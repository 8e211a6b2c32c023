"""billableTime and hourlyRates over HTTP: hours, parts and their cost at the rate of their day."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.db.pool import Database
from app.domain.model import Assignment, AssignmentStatus, CompletionStatus, EngineerId, PartUsed, Role
from app.queries import assignments
from tests.graphql.conftest import Api, act_as

BILLABLE_TIME = """
query($from: DateTime!, $to: DateTime!, $customer: String, $ticketId: ID, $first: Int, $after: String) {
  billableTime(from: $from, to: $to, customer: $customer, ticketId: $ticketId) {
    currency
    totals { lines linesWithoutCost assignments hours unpricedHours assignmentsWithoutHours
      labourCost partsCost partsWithoutPrice cost }
    lines(first: $first, after: $after) {
      totalCount
      pageInfo { hasNextPage endCursor }
      nodes { ticket { id customerName } engineer { id name } assignments hours assignmentsWithoutHours
        hourlyRate rateValidFrom labourCost parts { partNumber partName quantity price cost }
        partsCost partsWithoutPrice cost } } } }"""
SET_RATE = """mutation($input: SetHourlyRateInput!) { setHourlyRate(input: $input) {
    __typename ... on HourlyRate { hourlyRate validFrom setBy setAt engineer { id name } }
    ... on Refusal { code message } } }"""
RATES = """query($id: ID!, $first: Int, $after: String) {
  hourlyRates(engineerId: $id, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } nodes { hourlyRate validFrom setBy } } }"""
YEAR = {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}


@pytest.fixture
def set_rate(ask: Api, tokens):
    """Set a rate as an admin; return the result of the mutation."""

    async def set_rate(engineer: EngineerId, rate: str, valid_from: str = YEAR["from"], **more: Any) -> Any:
        act_as(ask, tokens, Role.ADMIN)
        input_ = {"engineerId": str(engineer), "hourlyRate": rate, "validFrom": valid_from} | more
        data = await ask(SET_RATE, input=input_)
        act_as(ask, tokens, Role.DISPATCHER)
        return data["setHourlyRate"]

    return set_rate


@pytest.fixture
def bill(ask: Api):
    """Read the billable time of a period in which all of these assignments ended."""

    async def bill(*ended: Assignment, **arguments: Any) -> Any:
        times = [assignment.completed_at for assignment in ended if assignment.completed_at]
        period = {"from": str(min(times)), "to": str(max(times) + timedelta(microseconds=1))}
        return (await ask(BILLABLE_TIME, **period, **arguments))["billableTime"]

    return bill


async def read(db: Database, *old: Assignment) -> list[Assignment]:
    async with db.connection() as conn:
        return await assignments.by_ids(conn, [assignment.id for assignment in old])


def figures(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line[name] for name in ("hours", "hourlyRate", "labourCost", "partsCost", "cost"))


async def test_each_engineer_has_a_line_with_corrected_hours(db, make, world, set_rate, bill):
    first = await make.assigned(ticket=await make.ticket(customer_name="Charité"))
    await world.act("start", first)
    parts = (PartUsed("P-1", "Coil", 3, Decimal("10.55")),)
    second = await world.complete(await world.escalate(first, name="Bo Berg"), "2", parts_used=parts)
    [ended] = await read(db, first)
    await world.act("correct", ended, time_spent_hours=Decimal("1.5"))
    await set_rate(first.engineer_id, "80")
    await set_rate(second.engineer_id, "99.99")
    billed = await bill(ended, second)
    lines = {line["engineer"]["id"]: line for line in billed["lines"]["nodes"]}
    assert [line["ticket"]["customerName"] for line in lines.values()] == ["Charité"] * 2
    assert figures(lines[str(first.engineer_id)]) == ("1.50", "80.00", "120.00", "0.00", "120.00")
    assert figures(lines[str(second.engineer_id)]) == ("2.00", "99.99", "199.98", "31.65", "231.63")
    assert lines[str(second.engineer_id)]["parts"] == [
        {"partNumber": "P-1", "partName": "Coil", "quantity": 3, "price": "10.55", "cost": "31.65"}
    ]
    assert billed["currency"] == "EUR"
    assert billed["totals"] == {
        "lines": 2, "linesWithoutCost": 0, "assignments": 2, "hours": "3.50", "unpricedHours": "0.00",
        "assignmentsWithoutHours": 0, "labourCost": "319.98", "partsCost": "31.65", "partsWithoutPrice": 0,
        "cost": "351.63",
    }  # fmt: skip


async def test_hours_without_a_rate_have_no_cost(make, world, bill):
    parts = (PartUsed("P", "Belt", 1, Decimal(5)),)
    billed = await bill(await world.complete(await make.assigned(), "4", parts_used=parts))
    [line] = billed["lines"]["nodes"]
    assert figures(line) == ("4.00", None, None, "5.00", None)
    totals = billed["totals"]
    assert (totals["hours"], totals["unpricedHours"], totals["linesWithoutCost"]) == ("4.00", "4.00", 1)
    assert (totals["labourCost"], totals["partsCost"], totals["cost"]) == ("0.00", "5.00", "0.00")


async def test_started_work_without_hours_is_billed(db, make, world, set_rate, bill):
    """An assignment that was never started is not."""
    started, waiting = await make.assigned(), await make.assigned()
    await world.act("start", started)
    for assignment in (started, waiting):
        await world.escalate(assignment)
    await set_rate(started.engineer_id, "80")
    ended = await read(db, started, waiting)
    assert {assignment.status for assignment in ended} == {AssignmentStatus.ESCALATED}
    billed = await bill(*ended)
    [line] = billed["lines"]["nodes"]
    assert line["engineer"]["id"] == str(started.engineer_id)
    assert line["assignmentsWithoutHours"] == billed["totals"]["assignmentsWithoutHours"] == 1
    assert figures(line) == (None, "80.00", None, "0.00", None)


async def test_each_rate_at_the_end_of_work_has_a_line(ask, db, make, world, set_rate, bill):
    assignment = await make.assigned()
    parts_required = {"completion_status": CompletionStatus.PARTS_REQUIRED}
    first = await world.complete(assignment, "1", **parts_required)
    again = {"ticketId": assignment.ticket_id, "engineerId": str(assignment.engineer_id)}
    await ask("mutation($i: AssignTicketInput!) { assignTicket(input: $i) { __typename } }", i=again)
    async with db.connection() as conn:
        [second] = await assignments.current_of_tickets(conn, [assignment.ticket_id])
    second = await world.complete(second, "2", **parts_required)
    await set_rate(assignment.engineer_id, "80", str(first.completed_at))
    [line] = (await bill(first, second))["lines"]["nodes"]
    assert (line["assignments"], *figures(line)) == (2, "3.00", "80.00", "240.00", "0.00", "240.00")
    await set_rate(assignment.engineer_id, "90", str(second.completed_at))
    lines = (await bill(first, second))["lines"]["nodes"]
    assert [
        (line["hours"], line["hourlyRate"], line["cost"], datetime.fromisoformat(line["rateValidFrom"]))
        for line in lines
    ] == [("1.00", "80.00", "80.00", first.completed_at), ("2.00", "90.00", "180.00", second.completed_at)]


async def test_pages_and_filters_of_lines(make, world, bill):
    done = [
        await world.complete(await make.assigned(ticket=await make.ticket(customer_name=name)), "1")
        for name in ("Charité", "Charité", "St. Mary")
    ]
    tickets, after = [], None
    while True:
        page = (await bill(*done, first=1, after=after))["lines"]
        assert page["totalCount"] == 3
        tickets += [line["ticket"]["id"] for line in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert tickets == sorted(assignment.ticket_id for assignment in done)
    assert (await bill(*done, customer="Charité"))["totals"]["lines"] == 2
    [line] = (await bill(*done, ticketId=done[2].ticket_id))["lines"]["nodes"]
    assert line["ticket"]["id"] == done[2].ticket_id


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"to": YEAR["from"]}, "to"),
        ({"to": "2027-01-03T00:00:00Z"}, "to"),
        ({"from": "2026-01-01T00:00:00"}, "from"),
        ({"customer": "\0"}, "customer"),
        ({"ticketId": ""}, "ticketId"),
        ({"first": 101}, "first"),
        ({"after": "x"}, "after"),
        ({"after": "WyJUIiwgIjAxOTBkM2E0LTViNmMtN2Q4ZS05ZjAxLTIzNDU2Nzg5YWJjZCIsICItMSJd"}, "after"),
    ],
)
async def test_an_invalid_argument_is_named_in_the_error(ask, arguments, field):
    [error] = (await ask.answer(BILLABLE_TIME, **YEAR | arguments))["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["extensions"]["field"] == field


async def test_corrected_rates_stay_in_the_list(ask, make, set_rate):
    ana = await make.engineer("Ana Lima")
    wrong = await set_rate(ana, "950", idempotencyKey="k")
    assert wrong["__typename"] == "HourlyRate"
    assert (wrong["hourlyRate"], wrong["engineer"]["name"]) == ("950.00", "Ana Lima")
    await set_rate(ana, "95")
    assert await set_rate(ana, "950", idempotencyKey="k") == wrong
    await set_rate(ana, "99", "2026-06-01T00:00:00+02:00")
    rates, after = [], None
    for _ in range(3):
        page = (await ask(RATES, id=str(ana), first=1, after=after))["hourlyRates"]
        assert page["totalCount"] == 3
        rates += page["nodes"]
        after = page["pageInfo"]["endCursor"]
    assert not page["pageInfo"]["hasNextPage"]
    assert [(rate["hourlyRate"], rate["validFrom"], rate["setBy"]) for rate in rates] == [
        ("99.00", "2026-05-31T22:00:00+00:00", "admin@development"),
        ("95.00", "2026-01-01T00:00:00+00:00", "admin@development"),
        ("950.00", "2026-01-01T00:00:00+00:00", "admin@development"),
    ]


async def test_an_invalid_or_forbidden_rate_is_refused(ask, make, set_rate):
    ana = await make.engineer()
    refusal = await set_rate(ana, "1.001")
    assert (refusal["__typename"], refusal["code"]) == ("InvalidInput", "INVALID_INPUT")
    refusal = await set_rate(ana, "1", "2026-01-01T00:00:00")
    assert refusal["message"] == "validFrom must have a time zone, as in 2026-03-01T00:00:00Z."
    input_ = {"engineerId": str(ana), "hourlyRate": "1", "validFrom": YEAR["from"]}
    refusal = (await ask(SET_RATE, input=input_))["setHourlyRate"]
    assert (refusal["code"], refusal["message"]) == (
        "FORBIDDEN",
        "Your role does not allow you to set the hourly rate of an engineer; ask an admin.",
    )
