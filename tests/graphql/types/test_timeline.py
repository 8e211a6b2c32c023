"""Ticket.timeline and the subscription ticketEvents."""

from decimal import Decimal

import pytest

from tests.commands.samples import SAMPLES, to_input
from tests.databases import capture_statements

TIMELINE = """
query (
  $id: ID!, $types: [TicketEventType!], $order: TimelineOrder! = OLDEST_FIRST, $first: Int, $after: String
) {
  ticket(id: $id) { version timeline(types: $types, orderBy: $order, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes {
      __typename id type ticketId actor source recordedAt ticketVersion
      changes { field before after } ticket { id }
      ... on AssignmentChange { assignment { id status } }
      ... on TicketEscalated { reason timeSpentHours nextTier nextAssignment { assignmentSequence } }
      ... on HoursCorrected { before after correction: reason }
      ... on AssignmentRated { ratingBefore: before ratingAfter: after feedback }
      ... on NoteAdded { note { text forNextHolder author } }
      ... on TicketHeld { holdReason: reason until }
      ... on TicketReopened { statusBefore }
      ... on TicketCancelled { duplicateOf { id } }
    } } } }"""


async def test_the_whole_life_of_a_ticket(ask, make, world):
    first = await make.assigned()
    await world.act(
        "escalate", first, next_engineer_id=await make.engineer(), time_spent_hours=Decimal("1.5")
    )
    second = (await world.history(first.ticket_id))[-1]
    await world.act("correct", first, time_spent_hours=Decimal(2), reason="Typo")
    await world.act("add_note", second, text="Bring a ladder", for_next_holder=True)
    await world.act("hold_ticket", second, reason="Parts")
    await world.act("resume_ticket", second)
    await world.complete(second, "3")
    await world.act("rate", second, rating=4)
    await world.act("rate", second, rating=5, feedback="Good")
    await world.act("reopen_ticket", second)
    await world.act("cancel_ticket", second)
    ticket = (await ask(TIMELINE, id=first.ticket_id))["ticket"]
    nodes = ticket["timeline"]["nodes"]
    assert [node["__typename"] for node in nodes] == [
        "TicketAssigned", "TicketEscalated", "TicketAssigned", "HoursCorrected", "NoteAdded", "TicketHeld",
        "TicketResumed", "WorkStarted", "AssignmentCompleted", "AssignmentRated", "AssignmentRated",
        "TicketReopened", "TicketCancelled",
    ]  # fmt: skip
    assert ticket["timeline"]["totalCount"] == len(nodes)
    assert nodes[-1]["ticketVersion"] == ticket["version"]
    escalated, corrected, note, rated = nodes[1], nodes[3], nodes[4], nodes[10]
    assert (escalated["timeSpentHours"], escalated["nextTier"]) == ("1.50", 2)
    assert escalated["nextAssignment"] == {"assignmentSequence": 2}
    assert escalated["assignment"] == {"id": str(first.id), "status": "ESCALATED"}
    assert (corrected["before"], corrected["after"], corrected["correction"]) == ("1.50", "2.00", "Typo")
    assert note["note"] == {"text": "Bring a ladder", "forNextHolder": True, "author": "dispatcher@test"}
    assert (rated["ratingBefore"], rated["ratingAfter"], rated["feedback"]) == (4, 5, "Good")
    assert nodes[11]["statusBefore"] == "RESOLVED"
    assert {"field": "STATUS", "before": "ASSIGNED", "after": "ON_HOLD"} in nodes[5]["changes"]
    assert {node["source"] for node in nodes} == {"PERSON"}


async def test_pages_in_both_orders_and_by_type(ask, make, world):
    assigned = await make.assigned()
    for text in "abc":
        await world.act("add_note", assigned, text=text)

    async def walk(**variables):
        after, ids = None, []
        while True:
            answer = await ask(TIMELINE, id=assigned.ticket_id, first=2, after=after, **variables)
            page = answer["ticket"]["timeline"]
            ids += [node["id"] for node in page["nodes"]]
            if not page["pageInfo"]["hasNextPage"]:
                return ids
            after = page["pageInfo"]["endCursor"]

    oldest = await walk()
    assert len(oldest) == 4
    assert await walk(order="NEWEST_FIRST") == oldest[::-1]
    assert await walk(types=["NOTE_ADDED"]) == oldest[1:]


async def test_timelines_of_a_page_are_one_statement(serve, make, world, monkeypatch):
    for _ in range(5):
        await world.act("accept", await make.assigned())
    seen = []
    capture_statements(monkeypatch, seen.append)
    api = await serve()
    await api("{ tickets { nodes { id } } }")
    seen.clear()
    await api("{ tickets { nodes { id timeline(first: 20) { nodes { id type changes { field } } } } } }")
    named = [text.split()[1] for text in seen if text.startswith("/* ")]
    assert named == ["tickets.newest_tickets", "events.oldest_of_tickets"]


SELECTIONS = {
    "CreatedTicket": "created ticket { id ticketNumber version waitingSince }",
    "TicketNote": "id text ticket { id }",
    "Ticket": """id status version hold { reason since until heldBy } nextTier reopenableUntil waitingSince
        cancelledAt followUpOf { id } duplicateOf { id } handoverNotes { text }""",
}


@pytest.mark.parametrize(
    "sample",
    [s for s in SAMPLES if s.action.endswith("_ticket") or s.action == "add_note"],
    ids=lambda s: s.action,
)
async def test_every_ticket_mutation_over_http(ask, make, world, sample):
    command, _ = await sample.prepare(make, world)
    name = sample.field_name
    type_name = f"{name[0].upper()}{name[1:]}Input!"
    results = {"createTicket": "CreatedTicket", "addNote": "TicketNote"}
    result = results.get(name, "Ticket")
    answer = await ask(
        f"""mutation ($input: {type_name}) {{ {name}(input: $input) {{ __typename
            ... on {result} {{ {SELECTIONS[result]} }} }} }}""",
        input=to_input(command),
    )
    assert answer[name]["__typename"] == result


async def test_a_ticket_by_each_key(ask):
    created = await ask(
        """mutation { createTicket(input: {ticketNumber: "SR 7", externalSource: "sap", externalId: "4711"}) {
            ... on CreatedTicket { ticket { id externalIds { source id } } } } }"""
    )
    ticket = created["createTicket"]["ticket"]
    assert ticket["externalIds"] == [{"source": "sap", "id": "4711"}]
    for by, found in (
        (f'id: "{ticket["id"]}"', ticket),
        ('number: "SR 7"', ticket),
        ('externalId: {source: "sap", id: "4711"}', ticket),
        ('number: "SR 8"', None),
    ):
        assert await ask(f"{{ ticket(by: {{{by}}}) {{ id externalIds {{ source id }} }} }}") == {
            "ticket": found
        }
    for wrong in ("ticket", 'ticket(id: "x", by: {number: "x"})', 'ticket(by: {id: "x", number: "x"})'):
        [error] = (await ask.answer(f"{{ {wrong} {{ id }} }}"))["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
