"""A stored value that cannot be read is unknown; nothing else of its row or of the response is lost."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
import structlog

from app.db import row_readers
from app.db.connections import connect
from app.domain.model import CompletionStatus
from app.queries import events, migration

OUTSIDE = ("infinity", "-infinity", "0044-03-15 00:00+00 BC", "20260-01-01 00:00+00")
TICKET, ASSIGNMENT = "service_tickets", "engineer_assignments"
PARTS = {
    '["PCB-77"]': (0, "0"),
    "[7, null, []]": (0, "0"),
    '[{"part_number": "7", "quantity": "two", "cost": 2.5}]': (0, "2.5"),
    '[{"part_number": "7", "quantity": 2, "cost": "12,50"}]': (2, "0"),
    '[{"part_number": "7", "quantity": 1.5, "cost": 1}]': (0, "1"),
    '[{"part_number": "7", "quantity": 1, "cost": "NaN"}]': (1, "0"),
    '[{"part_number": "7", "quantity": 99999999999, "cost": 1}]': (0, "1"),
    '[{"part_number": "7", "quantity": 1e400, "cost": 1}]': (0, "1"),
    '[{"part_number": "7", "quantity": {"a": 1}, "cost": [1]}]': (0, "0"),
}
"""Parts that cannot be read, with the quantity and the cost of the first that are returned."""
TIMES = [
    (table, column, value)
    for table, columns in (
        (TICKET, ("created_at", "started_at")),
        (ASSIGNMENT, ("assigned_at", "accepted_at", "started_at")),
    )
    for column in columns
    for value in OUTSIDE
]
CASES = [*TIMES, *((ASSIGNMENT, "parts_used", value) for value in PARTS)]
FIELDS = """id status assignedAt acceptedAt startedAt isCurrent partsUsed { partNumber quantity cost }"""
LIST = f"""{{ tickets {{
    nodes {{ id createdAt startedAt currentAssignment {{ {FIELDS} }} }}
    edges {{ cursor }} pageInfo {{ endCursor }} }} }}"""
IDS = "query($first: Int!, $after: String) { tickets(first: $first, after: $after) { \
    nodes { id } pageInfo { endCursor hasNextPage } } }"
BILL = """query($id: ID!, $start: DateTime!, $end: DateTime!) {
    billableTime(from: $start, to: $end, ticketId: $id) {
        lines { nodes { partsCost partsWithoutPrice parts { quantity cost } } } } }"""
PAGE = f"""query($id: ID!) {{ ticket(id: $id) {{
    createdAt startedAt currentAssignment {{ {FIELDS} }} assignmentHistory {{ {FIELDS} }} }} }}"""


@pytest.fixture(autouse=True)
def _forget_logged_values():
    row_readers.log_unreadable.cache_clear()


@pytest.fixture
def store(db):
    """Stores a value, given as text, in a column of the assignment or its ticket."""

    async def store(assignment, table, column, value):
        key = assignment.ticket_id if table == TICKET else assignment.id
        async with db.connection() as conn:
            if table == ASSIGNMENT:
                await conn.execute(f"UPDATE {table} SET origin = 'legacy' WHERE id = $1", key)
            await conn.execute(f"UPDATE {table} SET {column} = '{value}' WHERE id = $1", key)

    return store


async def stored(db, table, column, row_id):
    async with db.connection() as conn:
        return await conn.fetchval(f"SELECT {column}::text FROM {table} WHERE id = $1", row_id)


def camel(column):
    head, *tail = column.split("_")
    return head + "".join(map(str.capitalize, tail))


def returned(ticket, table, column):
    return (ticket if table == TICKET else ticket["currentAssignment"])[camel(column)]


def assert_unknown(value, column, raw):
    if column == "parts_used":
        assert (value[0]["quantity"], value[0]["cost"]) == PARTS[raw]
    elif column in ("created_at", "assigned_at"):
        # Never null in the API, so it is the nearest time.
        is_past = raw in ("-infinity", "0044-03-15 00:00+00 BC")
        assert value == ("0001-01-01T00:00:00+00:00" if is_past else "9999-12-31T23:59:59.999999+00:00")
    else:
        assert value is None


@pytest.mark.parametrize(("table", "column", "raw"), CASES)
async def test_a_list_and_a_ticket_show_the_value_as_unknown(ask, make, store, table, column, raw):
    good, bad = await make.assigned(), await make.assigned()
    before = {t["id"]: t for t in (await ask(LIST))["tickets"]["nodes"]}
    await store(bad, table, column, raw)
    after = {t["id"]: t for t in (await ask(LIST))["tickets"]["nodes"]}
    assert after[good.ticket_id] == before[good.ticket_id]
    if (column, raw) != ("created_at", "infinity"):  # the key before the first page
        assert_unknown(returned(after[bad.ticket_id], table, column), column, raw)
    ticket = (await ask(PAGE, id=bad.ticket_id))["ticket"]
    assert_unknown(returned(ticket, table, column), column, raw)
    assert ticket["assignmentHistory"] == [ticket["currentAssignment"]]


@pytest.mark.parametrize("raw", OUTSIDE[1:])
async def test_pages_continue_after_a_ticket_created_outside_the_range(ask, make, store, raw):
    made = [await make.assigned() for _ in range(3)]
    await store(made[1], TICKET, "created_at", raw)
    ids, after = [], None
    for _ in made:
        page = (await ask(IDS, first=1, after=after))["tickets"]
        ids += [node["id"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert sorted(ids) == sorted(a.ticket_id for a in made)
    assert not page["pageInfo"]["hasNextPage"]


@pytest.mark.parametrize(("table", "column", "raw"), CASES)
async def test_commands_work_and_keep_the_stored_value(db, world, make, store, table, column, raw):
    assignment = await make.assigned()
    row_id = assignment.ticket_id if table == TICKET else assignment.id
    if column != "accepted_at":
        await world.act("accept", assignment)
    await store(assignment, table, column, raw)
    before = await stored(db, table, column, row_id)
    if column != "started_at" or table == TICKET:  # it replaces the time of the assignment
        completed = await world.complete(assignment, "1.5", completion_status=CompletionStatus.FAILED)
        assert completed.time_spent_hours == Decimal("1.5")
    else:
        reassigned = await world.act("reassign", assignment, engineer_id=await make.engineer())
        assert reassigned.assignment_sequence == 2
    assert await stored(db, table, column, row_id) == before


@pytest.mark.parametrize(("table", "column", "raw"), [case for case in CASES if case[0] == ASSIGNMENT])
async def test_events_and_bills_of_the_row_are_readable(db, world, ask, make, store, table, column, raw):
    assignment = await make.assigned()
    await store(assignment, table, column, raw)
    await world.act("reassign", assignment, engineer_id=await make.engineer())
    async with db.connection() as conn:
        read = await events.within(conn, ((1, 2**62),), limit=10, ticket_id=assignment.ticket_id)
    assert [event.type for event in read] == ["assigned", "reassigned", "assigned"]
    async with db.connection() as conn:
        today = (await conn.fetchval("SELECT now()")).date()
    from_, to = f"{today - timedelta(days=2)}T00:00:00Z", f"{today + timedelta(days=2)}T00:00:00Z"
    lines = (await ask(BILL, id=assignment.ticket_id, start=from_, end=to))["billableTime"]["lines"]["nodes"]
    if column == "parts_used":
        [line] = lines
        first, (quantity, _) = line["parts"][0], PARTS[raw]
        assert first["quantity"] == (quantity or None)
        assert line["partsCost"] == (None if line["partsWithoutPrice"] else first["cost"])
    else:
        assert all(line["parts"] == [] for line in lines)


@pytest.mark.parametrize(("table", "column", "raw"), CASES)
async def test_verify_lists_the_value_and_the_log_names_its_row_once(
    db, ask, make, store, shared_url, table, column, raw
):
    assignment = await make.assigned()
    await make.assigned()
    row_id = assignment.ticket_id if table == TICKET else assignment.id
    row = "Ticket" if table == TICKET else "Assignment"
    async with connect(shared_url) as conn:
        assert await migration.unreadable_values(conn) == []
        await store(assignment, table, column, raw)
        assert await migration.unreadable_values(conn) == [(row, row_id, column)]
    with structlog.testing.capture_logs() as logs:
        await ask(PAGE, id=assignment.ticket_id)
        await ask(PAGE, id=assignment.ticket_id)
    assert [(e["row"], e["row_id"], e["field"]) for e in logs if e["event"] == "unreadable_value"] == [
        (row, str(row_id), column)
    ]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("parts_used", ["x"], ("event of assignment", "parts_used")),
        ("completed_at", "infinity", ("event of assignment", "completed_at")),
        ("assigned_at", "never", ("event", "assignment")),
    ],
)
async def test_verify_lists_events_that_cannot_be_read(db, make, shared_url, path, value, expected):
    assignment = await make.assigned()
    await make.assigned()
    async with connect(shared_url) as conn:
        event_id = await conn.fetchval(
            "UPDATE ticket_events SET assignment = jsonb_set(assignment, ARRAY[$2], $3)"
            " WHERE assignment_id = $1 RETURNING id",
            assignment.id, path, json.dumps(value),
        )  # fmt: skip
        row, field = expected
        row_id = event_id if row == "event" else assignment.id
        assert await migration.unreadable_values(conn) == [(row, row_id, field)]
