"""Bills over HTTP: who worked on a ticket, for how long, and what that costs at the rate of its day."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from app.commands.complete import CompleteAssignment, complete_assignment
from app.commands.correct import CorrectTimeSpent, correct_time_spent
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.run import run
from app.commands.start import StartAssignment, start_assignment
from app.domain.model import AssignmentStatus, CompletionStatus, PartUsed, Role
from app.queries import assignments
from tests.factories import DISPATCHER
from tests.graphql.conftest import act_as

if TYPE_CHECKING:
    from app.db.pool import Database
    from app.domain.model import Assignment, EngineerId
    from tests.factories import Factories
    from tests.graphql.conftest import Api

BILL = """
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
SET = """mutation($input: SetHourlyRateInput!) { setHourlyRate(input: $input) {
    __typename ... on HourlyRate { hourlyRate validFrom setBy setAt engineer { id name } }
    ... on Refusal { code message } } }"""
RATES = """query($id: ID!, $first: Int, $after: String) {
  hourlyRates(engineerId: $id, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } nodes { hourlyRate validFrom setBy } } }"""
COMMON_REFUSALS = {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}


@pytest.fixture
def set_rate(ask: Api, tokens):
    async def do(engineer: EngineerId, rate: str, valid_from: str = "2026-01-01T00:00:00Z", **more: Any):
        act_as(ask, tokens, Role.ADMIN)
        command = {"engineerId": str(engineer), "hourlyRate": rate, "validFrom": valid_from}
        answer = await ask(SET, input=command | more)
        act_as(ask, tokens, Role.DISPATCHER)
        return answer["setHourlyRate"]

    return do


async def complete(db: Database, held: Assignment, hours: str, *parts: PartUsed) -> Assignment:
    await run(db, DISPATCHER, start_assignment, StartAssignment(assignment_id=held.id))
    command = CompleteAssignment(
        assignment_id=held.id,
        completion_status=CompletionStatus.PARTS_REQUIRED,
        time_spent_hours=Decimal(hours),
        parts_used=parts,
    )
    return await run(db, DISPATCHER, complete_assignment, command)


async def escalate(db: Database, make: Factories, held: Assignment, **columns: Any) -> Assignment:
    command = EscalateTicket(
        ticket_id=held.ticket_id, next_engineer_id=await make.engineer(**columns), reason="no spare part"
    )
    return await run(db, DISPATCHER, escalate_ticket, command)


def around(*ended: Assignment) -> dict[str, str]:
    """A period in which they ended."""
    times = [assignment.completed_at for assignment in ended if assignment.completed_at]
    return {"from": str(min(times)), "to": str(max(times) + timedelta(microseconds=1))}


async def test_each_engineer_of_a_ticket_has_a_line_with_hours_as_corrected(ask, db, make, set_rate):
    first = await make.assigned(ticket=await make.ticket(customer_name="Charité"))
    await run(db, DISPATCHER, start_assignment, StartAssignment(assignment_id=first.id))
    second = await complete(
        db, await escalate(db, make, first, name="Bo Berg"), "2", PartUsed("P-1", "Coil", 3, Decimal("10.55"))
    )
    [before] = await db_history(db, first)
    await run(
        db,
        DISPATCHER,
        correct_time_spent,
        CorrectTimeSpent(assignment_id=first.id, time_spent_hours=Decimal("1.5"), reason="forgotten"),
    )
    await set_rate(first.engineer_id, "80")
    await set_rate(second.engineer_id, "99.99")
    bill = (await ask(BILL, **around(before, second)))["billableTime"]
    lines = {line["engineer"]["id"]: line for line in bill["lines"]["nodes"]}
    assert [line["ticket"]["customerName"] for line in lines.values()] == ["Charité"] * 2
    assert figures(lines[str(first.engineer_id)]) == ("1.50", "80.00", "120.00", "0.00", "120.00")
    assert figures(lines[str(second.engineer_id)]) == ("2.00", "99.99", "199.98", "31.65", "231.63")
    assert lines[str(second.engineer_id)]["parts"] == [
        {"partNumber": "P-1", "partName": "Coil", "quantity": 3, "price": "10.55", "cost": "31.65"}
    ]
    assert bill["currency"] == "EUR"
    assert bill["totals"] == {
        "lines": 2,
        "linesWithoutCost": 0,
        "assignments": 2,
        "hours": "3.50",
        "unpricedHours": "0.00",
        "assignmentsWithoutHours": 0,
        "labourCost": "319.98",
        "partsCost": "31.65",
        "partsWithoutPrice": 0,
        "cost": "351.63",
    }


async def db_history(db: Database, *wanted: Assignment) -> list[Assignment]:
    async with db.connection() as conn:
        return await assignments.by_ids(conn, [assignment.id for assignment in wanted])


def figures(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line[name] for name in ("hours", "hourlyRate", "labourCost", "partsCost", "cost"))


async def test_hours_without_a_rate_are_told_and_not_taken_for_nothing(ask, db, make):
    done = await complete(db, await make.assigned(), "4", PartUsed("P", "Belt", 1, Decimal(5)))
    bill = (await ask(BILL, **around(done)))["billableTime"]
    [line] = bill["lines"]["nodes"]
    assert figures(line) == ("4.00", None, None, "5.00", None)
    totals = bill["totals"]
    assert (totals["hours"], totals["unpricedHours"], totals["linesWithoutCost"]) == ("4.00", "4.00", 1)
    assert (totals["labourCost"], totals["partsCost"], totals["cost"]) == ("0.00", "5.00", "0.00")


async def test_who_began_and_told_no_hours_is_not_passed_over(ask, db, make, set_rate):
    begun, waiting = await make.assigned(), await make.assigned()
    await run(db, DISPATCHER, start_assignment, StartAssignment(assignment_id=begun.id))
    for held in (begun, waiting):
        await escalate(db, make, held)
    await set_rate(begun.engineer_id, "80")
    ended = await db_history(db, begun, waiting)
    assert {assignment.status for assignment in ended} == {AssignmentStatus.ESCALATED}
    bill = (await ask(BILL, **around(*ended)))["billableTime"]
    [line] = bill["lines"]["nodes"]
    assert line["engineer"]["id"] == str(begun.engineer_id)
    assert line["assignmentsWithoutHours"] == bill["totals"]["assignmentsWithoutHours"] == 1
    assert figures(line) == (None, "80.00", None, "0.00", None)


async def test_the_rate_is_that_of_the_end_and_each_rate_has_its_line(ask, db, make, set_rate):
    held = await make.assigned()
    first = await complete(db, held, "1")
    again = {"ticketId": held.ticket_id, "engineerId": str(held.engineer_id)}
    await ask("mutation($i: AssignTicketInput!) { assignTicket(input: $i) { __typename } }", i=again)
    async with db.connection() as conn:
        [second] = await assignments.current_of_tickets(conn, [held.ticket_id])
    second = await complete(db, second, "2")
    await set_rate(held.engineer_id, "80", str(first.completed_at))
    period = around(first, second)
    [line] = (await ask(BILL, **period))["billableTime"]["lines"]["nodes"]
    assert (line["assignments"], *figures(line)) == (2, "3.00", "80.00", "240.00", "0.00", "240.00")
    await set_rate(held.engineer_id, "90", str(second.completed_at))
    lines = (await ask(BILL, **period))["billableTime"]["lines"]["nodes"]
    assert [(line["hours"], line["hourlyRate"], line["cost"]) for line in lines] == [
        ("1.00", "80.00", "80.00"),
        ("2.00", "90.00", "180.00"),
    ]
    assert [datetime.fromisoformat(line["rateValidFrom"]) for line in lines] == [
        first.completed_at,
        second.completed_at,
    ]


async def test_lines_come_in_pages_and_by_customer_or_ticket(ask, db, make):
    done = [
        await complete(db, await make.assigned(ticket=await make.ticket(customer_name=name)), "1")
        for name in ("Charité", "Charité", "St. Mary")
    ]
    period, found, after = around(*done), [], None
    while True:
        page = (await ask(BILL, **period, first=1, after=after))["billableTime"]["lines"]
        assert page["totalCount"] == 3
        found += [line["ticket"]["id"] for line in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert found == sorted(assignment.ticket_id for assignment in done)
    of_charite = (await ask(BILL, **period, customer="Charité"))["billableTime"]
    assert of_charite["totals"]["lines"] == 2
    of_ticket = (await ask(BILL, **period, ticketId=done[2].ticket_id))["billableTime"]
    assert [line["ticket"]["id"] for line in of_ticket["lines"]["nodes"]] == [done[2].ticket_id]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"to": COMMON_REFUSALS["from"]}, "to"),
        ({"to": "2027-01-03T00:00:00Z"}, "to"),
        ({"from": "2026-01-01T00:00:00"}, "from"),
        ({"customer": "x" * 201}, "customer"),
        ({"ticketId": ""}, "ticketId"),
        ({"first": 101}, "first"),
        ({"after": "x"}, "after"),
        ({"after": "WyJUIiwgIjAxOTBkM2E0LTViNmMtN2Q4ZS05ZjAxLTIzNDU2Nzg5YWJjZCIsICItMSJd"}, "after"),
    ],
)
async def test_what_cannot_be_meant_is_refused(ask, given, field):
    [error] = (await ask.answer(BILL, **COMMON_REFUSALS | given))["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["extensions"]["field"] == field


async def test_a_rate_is_set_corrected_and_seen_with_who_did_it(ask, make, set_rate):
    ana = await make.engineer("Ana Lima")
    wrong = await set_rate(ana, "950", idempotencyKey="k")
    assert (wrong["__typename"], wrong["hourlyRate"], wrong["engineer"]["name"]) == (
        "HourlyRate",
        "950.00",
        "Ana Lima",
    )
    await set_rate(ana, "95")
    assert await set_rate(ana, "950", idempotencyKey="k") == wrong
    await set_rate(ana, "99", "2026-06-01T00:00:00+02:00")
    pages, after = [], None
    for _ in range(3):
        page = (await ask(RATES, id=str(ana), first=1, after=after))["hourlyRates"]
        assert page["totalCount"] == 3
        pages += page["nodes"]
        after = page["pageInfo"]["endCursor"]
    assert not page["pageInfo"]["hasNextPage"]
    assert [(rate["hourlyRate"], rate["validFrom"], rate["setBy"]) for rate in pages] == [
        ("99.00", "2026-05-31T22:00:00+00:00", "admin@development"),
        ("95.00", "2026-01-01T00:00:00+00:00", "admin@development"),
        ("950.00", "2026-01-01T00:00:00+00:00", "admin@development"),
    ]


async def test_a_rate_that_cannot_be_set_says_why(ask, make, set_rate):
    ana = await make.engineer()
    refused = await set_rate(ana, "1.001")
    assert (refused["__typename"], refused["code"]) == ("InvalidInput", "INVALID_INPUT")
    refused = await set_rate(ana, "1", "2026-01-01T00:00:00")
    assert refused["message"] == "validFrom must have a time zone, as in 2026-03-01T00:00:00Z."
    command = {"engineerId": str(ana), "hourlyRate": "1", "validFrom": COMMON_REFUSALS["from"]}
    refused = (await ask(SET, input=command))["setHourlyRate"]
    assert (refused["code"], refused["message"]) == (
        "FORBIDDEN",
        "Your role does not allow you to set hourly rates; ask an admin.",
    )
