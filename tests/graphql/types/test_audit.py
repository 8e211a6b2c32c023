"""auditEvents: who did what, for auditors and admins."""

import pytest

from app.domain.model import Role
from tests.graphql.conftest import act_as

AUDIT = """
query ($filter: AuditFilter!, $first: Int, $after: String) {
  auditEvents(filter: $filter, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes { requestId tokenId event { __typename id actor ticketId } }
  } }"""
PERIOD = {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}


@pytest.fixture
async def records(ask, tokens, make, world):
    """Read all pages with a filter, as an auditor."""
    first, second = await make.assigned(), await make.assigned()
    await world.act("accept", first)
    await world.act("add_note", second)
    act_as(ask, tokens, Role.AUDITOR)

    async def read(**filter):
        after, found = None, []
        while True:
            variables = {"filter": PERIOD | filter, "first": 2, "after": after}
            page = (await ask(AUDIT, **variables))["auditEvents"]
            found += [node["event"] for node in page["nodes"]]
            if not page["pageInfo"]["hasNextPage"]:
                assert page["totalCount"] == len(found)
                return found
            after = page["pageInfo"]["endCursor"]

    return read, first, second


async def test_events_are_found_by_each_condition(records):
    read, first, _ = records
    everything = await read()
    types = ["NoteAdded", "AssignmentAccepted", "TicketAssigned", "TicketAssigned"]
    assert [event["__typename"] for event in everything] == types
    of_first = [event for event in everything if event["ticketId"] == first.ticket_id]
    assert await read(ticketId=first.ticket_id) == of_first
    assert await read(engineerId=str(first.engineer_id)) == of_first
    assert await read(types=["NOTE_ADDED"]) == everything[:1]
    assert await read(actor="dispatcher@test") == everything
    assert await read(actor="nobody") == []


@pytest.mark.parametrize("role", [Role.DISPATCHER, Role.ENGINEER])
async def test_other_roles_get_an_error(ask, tokens, make, role):
    act_as(ask, tokens, role, await make.engineer() if role is Role.ENGINEER else None)
    [error] = (await ask.answer(AUDIT, filter=PERIOD))["errors"]
    assert error["extensions"]["code"] == "FORBIDDEN"


async def test_the_request_is_recorded(ask, tokens, make):
    act_as(ask, tokens, Role.ADMIN)
    await ask('mutation { createTicket(input: {customerName: "x"}) { __typename } }')
    [node] = (await ask(AUDIT, filter=PERIOD))["auditEvents"]["nodes"]
    assert (node["event"]["__typename"], bool(node["requestId"])) == ("TicketCreated", True)
