"""Values that the history cannot hold: quarantined one by one; no write of the old application fails."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.db import migrate, sql, survey
from app.db.migration_files import MigrationError, read
from app.queries import migration
from tests.migrations.shapes import ANA, BO, DOCUMENTED, GONE, SHAPES, insert, mismatches

BACKFILL = next(m.version for m in read(sql.MIGRATIONS) if m.name == "backfill")
TICKET = "00000000-0000-0000-0000-00000000000a"
OTHER = "00000000-0000-0000-0000-00000000000b"
EQUIPMENT = UUID(int=7)
ROW = UUID("dddddddd-0000-4000-8000-000000000001")
HISTORY = "SELECT status FROM baton.engineer_assignments WHERE ticket_id = $1 ORDER BY assignment_sequence"
ISSUES = """
SELECT assignment_id, column_name, raw::text FROM assignment_migration_issues
WHERE outcome = 'quarantined' ORDER BY id"""
CONVERTED = """
SELECT bad, to_jsonb(r)->$2, raw->$2
FROM (SELECT to_jsonb(typed) || jsonb_build_object('id', $3::uuid, 'engineer_id', $4::uuid) AS raw
    FROM (SELECT {} AS {}) AS typed) AS row,
    baton.unreadable_columns('engineer_assignments', raw) AS bad,
    baton.from_old_row(baton.readable(raw, bad), $1) AS r"""
# Accepts any value, as a table of an application that checks nothing.
ANY_VALUE = """
ALTER TABLE engineer_assignments DROP CONSTRAINT engineer_assignments_customer_rating_check;
ALTER TABLE engineer_assignments ADD time_spent_hours text, ADD completion_status text,
    ALTER customer_rating TYPE text, ALTER assignment_tier TYPE text, ALTER accepted_at TYPE text;
ALTER TABLE engineer_assignments DROP CONSTRAINT engineer_assignments_equipment_id_fkey"""


@dataclass(frozen=True, slots=True)
class Value:
    """An old value of a column of some type, and what the history has."""

    column: str
    type: str
    value: Any
    expected: Any
    is_quarantined: bool = True


PART = {"part_number": "7", "part_name": "Seal"}
TEXT_PART = {"quantity": "2", "cost": "12.50"}
VALUES = [
    Value("customer_rating", "text", "5 stars", None),
    Value("customer_rating", "text", " 5 ", 5, is_quarantined=False),
    Value("customer_rating", "text", "", None, is_quarantined=False),
    Value("customer_rating", "numeric(2,1)", 4.5, None),
    Value("customer_rating", "numeric(2,1)", 4.0, 4, is_quarantined=False),
    Value("customer_rating", "float8", "NaN", None),
    Value("customer_rating", "int", 0, None),
    Value("customer_rating", "bigint", 3_000_000_000, None),
    Value("time_spent_hours", "numeric(8,2)", "1234.50", None),
    Value("time_spent_hours", "numeric(8,2)", "999.99", 999.99, is_quarantined=False),
    Value("time_spent_hours", "numeric", "1.005", None),
    Value("time_spent_hours", "numeric", "1.500", 1.5, is_quarantined=False),
    Value("time_spent_hours", "numeric", "-1", None),
    Value("time_spent_hours", "numeric", "NaN", None),
    Value("time_spent_hours", "float8", "Infinity", None),
    Value("time_spent_hours", "text", "12,50", None),
    Value("time_spent_hours", "interval", "90 minutes", None),
    Value("assignment_tier", "text", "gold", 1),
    Value("assignment_tier", "text", "2", 2, is_quarantined=False),
    Value("assignment_tier", "numeric", "2.5", 1),
    Value("assignment_tier", "bigint", 3_000_000_000, 1),
    Value("assignment_type", "text", "urgent", "manual"),
    Value("assignment_type", "text", "AUTO", "auto", is_quarantined=False),
    Value("completion_status", "text", "done", None),
    Value("completion_status", "text", "Success", "success", is_quarantined=False),
    Value("accepted_at", "timestamptz", "infinity", None),
    Value("accepted_at", "timestamptz", "0044-03-15 00:00:00+00 BC", None),
    Value("accepted_at", "timestamptz", "20260-01-01 00:00:00+00", None),
    Value("accepted_at", "timestamptz", "0001-01-01Z", "0001-01-01T00:00:00+00:00", is_quarantined=False),
    Value("accepted_at", "timestamp", "2024-02-29 08:00", "2024-02-29T08:00:00+00:00", is_quarantined=False),
    Value("accepted_at", "date", "2024-01-31", "2024-01-31T00:00:00+00:00", is_quarantined=False),
    Value("accepted_at", "text", "01/02/2024", None),
    Value("accepted_at", "text", "2024-02-30T00:00:00Z", None),
    Value("accepted_at", "text", "2024-01-01T00:00:00.1234567Z", None),
    Value("accepted_at", "text", "yesterday", None),
    Value("accepted_at", "bigint", 1704067200, None),
    Value("parts_used", "jsonb", ["PCB-77"], [{}]),
    Value("parts_used", "jsonb", [PART | {"quantity": "two", "cost": 5}], [PART | {"cost": 5}]),
    Value("parts_used", "jsonb", [PART | {"quantity": 1.5}], [PART]),
    Value("parts_used", "jsonb", [PART | {"quantity": 1, "cost": "12,50"}], [PART | {"quantity": 1}]),
    Value("parts_used", "jsonb", [PART | {"cost": "NaN"}], [PART]),
    Value("parts_used", "jsonb", [PART | {"quantity": [1]}], [PART]),
    Value("parts_used", "jsonb", "none", []),
    Value("parts_used", "jsonb", [TEXT_PART], [TEXT_PART], is_quarantined=False),
    Value("parts_used", "text", '[{"part_number": "7"}]', [{"part_number": "7"}], is_quarantined=False),
    Value("parts_used", "text", "[", []),
    Value("equipment_id", "text", "MRI 3", None),
]  # fmt: skip


TIMES = {"created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z"}


async def test_each_value_of_each_type_is_read_unchanged_or_not_at_all(legacy_database):
    conn = (await legacy_database(DOCUMENTED, load=False)).conn
    ticket = json.dumps({"id": TICKET, "status": "new"} | TIMES)
    found, expected = [], []
    for value in VALUES:
        text = json.dumps(value.value) if value.type == "jsonb" else str(value.value)
        literal = f"'{text}'::{value.type}"
        bad, stored, _ = await conn.fetchrow(
            CONVERTED.format(literal, value.column), ticket, value.column, ROW, ANA
        )
        found.append((value.column, literal, json.loads(stored), bad))
        is_bad = value.is_quarantined and value.column != "equipment_id"
        expected.append(
            (value.column, literal, value.expected, [value.column] if is_bad or text == "" else [])
        )
    assert found == expected


@pytest.mark.parametrize("when", ["before up", "before the backfill", "after the backfill"])
async def test_what_cannot_be_read_is_quarantined_with_its_raw_value(legacy_database, when):
    conn = (await legacy_database(DOCUMENTED, load=False, to=0)).conn
    await conn.execute(ANY_VALUE)
    if when != "before up":
        await migrate.up(conn, sql.MIGRATIONS, to=BACKFILL - 1 if when == "before the backfill" else None)
    for n, value in enumerate(VALUES):
        await insert(conn, "service_tickets", {"id": f"T-{n}", "ticket_number": f"N-{n}"} | TIMES)
        row = {"id": UUID(int=n), "ticket_id": f"T-{n}", "engineer_id": ANA, "status": "rejected"}
        await insert(conn, "engineer_assignments", row | {value.column: value.value})
    await migrate.up(conn, sql.MIGRATIONS)
    issues = {(row_id.int, column): json.loads(raw) for row_id, column, raw in await conn.fetch(ISSUES)}
    raws = {
        (n, value.column): {value.column: value.value if value.column == "parts_used" else str(value.value)}
        for n, value in enumerate(VALUES)
        if value.is_quarantined
    }
    assert issues == raws
    assert await mismatches(conn) == []
    assert await migration.unreadable_values(conn) == []


AT = "'2024-03-01T00:00:00Z'"
NEW_ROW = (
    "INSERT INTO engineer_assignments (id, ticket_id, engineer_id, equipment_id, status, {column}assigned_at,"
    " created_at, updated_at) SELECT {id}, '{ticket}', '{engineer}', {equipment}, '{status}',"
    f" {{value}}{AT}, {AT}, {AT}"
)


def new_row(number, *, ticket=TICKET, engineer=ANA, status="assigned", equipment=f"'{EQUIPMENT}'", **column):
    """The statement that adds a row to the old table."""
    [(name, value)] = column.items() or [("", "")]
    return NEW_ROW.format(
        id=f"'{UUID(int=number)}'", ticket=ticket, engineer=engineer, status=status, equipment=equipment,
        column=f"{name}, " if name else "", value=f"{value}, " if name else "",
    )  # fmt: skip


def change(table, columns):
    key = "id" if table == "service_tickets" else "ticket_id"
    return f"UPDATE {table} SET {columns} WHERE {key} = '{TICKET}'"


NEW_TICKET = (
    "INSERT INTO service_tickets (id, ticket_number, created_at, updated_at)"
    f" VALUES ('{OTHER}', 1, {AT}, {AT})"
)
# In this order, each in a transaction of its own. Some are errors in the old tables of a shape themselves.
WRITES = [
    NEW_TICKET,
    change("service_tickets", f"assigned_engineer_id = '{ANA}', status = 'assigned', assignment_tier = -5"),
    change("service_tickets", "assigned_at = 'infinity', assignment_tier = 2147483647"),
    change("service_tickets", f"assigned_at = '0044-03-15 BC', assigned_engineer_id = '{BO}'"),
    change("service_tickets", f"assigned_engineer_id = '{GONE}'"),
    change("service_tickets", "assigned_engineer_id = 'ENG-001', assigned_engineer_name = NULL"),
    change("service_tickets", "status = 'archived'"),
    new_row(1, assigned_by="repeat('x', 100000)"),
    new_row(2, engineer=BO, status="accepted"),
    new_row(3, engineer=GONE),
    new_row(4, ticket="00000000-0000-0000-0000-0000000000ff"),
    new_row(5, status="done"),
    new_row(6, equipment=f"'{GONE}'"),
    new_row(7, parts_used="""'["PCB-77", {"quantity": "two"}, null, 7]'"""),
    new_row(8, customer_rating="-1"),
    new_row(9, accepted_at="'20260-01-01'"),
    change("engineer_assignments", "assigned_at = '-infinity', created_at = 'infinity'"),
    change("engineer_assignments", "updated_at = '0044-03-15 BC'"),
    change("engineer_assignments", f"engineer_id = '{BO}', completed_at = '20260-01-01'"),
    change("engineer_assignments", f"ticket_id = '{OTHER}', status = 'completed'"),
    f"UPDATE engineer_assignments SET status = 'rejected', diagnosis = 'later' WHERE id = '{UUID(int=1)}'",
    f"UPDATE engineer_assignments SET id = gen_random_uuid(), status = 'assigned' WHERE id = '{UUID(int=2)}'",
    f"DELETE FROM engineer_assignments WHERE id = '{UUID(int=1)}'",
    change("service_tickets", "created_at = 'infinity', updated_at = '-infinity', status = 'resolved'"),
    change("service_tickets", f"resolved_at = 'infinity', status = 'closed', assigned_engineer_id = '{ANA}'"),
    change("service_tickets", "status = 'new', assigned_engineer_id = NULL, assignment_tier = NULL"),
]  # fmt: skip


async def write_all(conn):
    """The errors of the writes, by number."""
    errors = {}
    for n, statement in enumerate(WRITES):
        try:
            await conn.execute(statement)
        except asyncpg.PostgresError as error:
            errors[n] = str(error)
    return errors


async def old_rows(conn):
    """What the writes stored, without the generated id."""
    return [
        await conn.fetch(f"SELECT ({row})::text FROM {table} x ORDER BY 1")
        for table, row in (("service_tickets", "to_jsonb(x)"), ("engineer_assignments", "to_jsonb(x) - 'id'"))
    ]


@pytest.fixture(params=SHAPES, ids=lambda s: s.name)
async def two_databases(request, legacy_database):
    """Two databases of the same shape: one to migrate, and one where only the old application writes."""
    databases = [await legacy_database(request.param, load=False, to=0) for _ in range(2)]
    for legacy in databases:
        await insert(
            legacy.conn, "service_tickets", {"id": TICKET, "ticket_number": "N", "status": "new"} | TIMES
        )
    return [legacy.conn for legacy in databases]


@pytest.mark.parametrize("to", [BACKFILL - 1, None], ids=["before the backfill", "after the backfill"])
async def test_no_write_of_the_old_application_fails_or_is_lost(two_databases, to):
    conn, only_old = two_databases
    await migrate.up(conn, sql.MIGRATIONS, to=to)
    assert await write_all(conn) == await write_all(only_old)
    assert await old_rows(conn) == await old_rows(only_old)
    await migrate.up(conn, sql.MIGRATIONS)
    assert await mismatches(conn) == []
    assert await conn.fetch("SELECT FROM assignment_migration_issues WHERE reason LIKE 'not copied%'") == []


@pytest.mark.parametrize("to", [BACKFILL - 1, None], ids=["before the backfill", "after the backfill"])
async def test_any_failure_of_a_trigger_is_recorded_instead_of_raised(two_databases, to):
    conn, only_old = two_databases
    await migrate.up(conn, sql.MIGRATIONS, to=to)
    await conn.execute("ALTER TABLE baton.engineer_assignments ADD CONSTRAINT refuse CHECK (false) NOT VALID")
    assert await write_all(conn) == await write_all(only_old)
    assert await old_rows(conn) == await old_rows(only_old)
    issues = await conn.fetch(
        "SELECT raw::text FROM assignment_migration_issues WHERE reason LIKE 'not copied%refuse%'"
    )
    assert any(json.loads(raw).get("assigned_engineer_id") == str(ANA) for (raw,) in issues)
    assert any(json.loads(raw).get("id") == str(UUID(int=2)) for (raw,) in issues)


async def test_an_error_that_asks_for_a_retry_reaches_the_old_application(two_databases):
    conn, _ = two_databases
    await migrate.up(conn, sql.MIGRATIONS)
    for error in ("55P03", "40001", "40P01", "57014"):
        await conn.execute(
            "CREATE OR REPLACE FUNCTION baton.copy_tickets(tickets jsonb[], trusted boolean DEFAULT false)"
            " RETURNS void LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '{error}'; END $$"
        )
        with pytest.raises(asyncpg.PostgresError, match="again"):
            await conn.execute(WRITES[0])


async def test_a_ticket_that_fails_is_quarantined_alone(legacy_database):
    legacy = await legacy_database(DOCUMENTED, to=BACKFILL - 1)
    conn, ticket = legacy.conn, legacy.tickets["two active rows"]
    await conn.execute(
        "ALTER TABLE baton.engineer_assignments ADD CONSTRAINT refuse CHECK (ticket_id <> '" + ticket + "')"
    )
    await migrate.up(conn, sql.MIGRATIONS)
    issues = await conn.fetch(
        "SELECT raw::text FROM assignment_migration_issues"
        " WHERE reason LIKE 'not copied%' AND ticket_id = $1",
        ticket,
    )
    assert sorted("status" in json.loads(raw) for (raw,) in issues) == [False, True, True]
    assert (
        await conn.fetchval("SELECT outcome FROM assignment_migration WHERE ticket_id = $1", ticket)
        == "quarantined"
    )
    assert await mismatches(conn) == []


async def test_after_a_backfill_that_failed_nothing_acts_until_it_is_continued(legacy_database):
    legacy = await legacy_database(DOCUMENTED, to=BACKFILL - 1)
    conn, ticket = legacy.conn, legacy.tickets["a ticket in progress"]
    await conn.execute(
        "ALTER TABLE assignment_migration_state ADD CONSTRAINT stop CHECK (reached < 'TICKET-2024-0012')"
    )
    with pytest.raises(asyncpg.CheckViolationError, match="stop"):
        await conn.execute("CALL baton.backfill(5, 0)")
    with pytest.raises(MigrationError, match=r"0005_backfill.up.sql: .*stop"):
        await migrate.up(conn, sql.MIGRATIONS)
    before = await history_and_issues(conn)
    await conn.execute(
        "UPDATE service_tickets SET assigned_engineer_id = $2, assignment_tier = 3 WHERE id = $1",
        ticket,
        str(BO),
    )
    await conn.execute(new_row(1, ticket=legacy.tickets["on hold"], status="rejected"))
    await conn.execute(WRITES[0])
    assert await history_and_issues(conn) == before != [[], []]
    await conn.execute("ALTER TABLE assignment_migration_state DROP CONSTRAINT stop")
    lines = []
    await migrate.up(conn, sql.MIGRATIONS, emit=lines.append)
    assert any("tickets checked again" in line for line in lines)
    assert await mismatches(conn) == []
    statuses = [row[0] for row in await conn.fetch(HISTORY, ticket)]
    assert statuses == ["escalated", "in_progress"]
    await conn.execute(change("service_tickets", "status = 'resolved'").replace(TICKET, ticket))
    assert [row[0] for row in await conn.fetch(HISTORY, ticket)] == ["escalated", "completed"]


async def history_and_issues(conn):
    tables = ("baton.engineer_assignments", "assignment_migration_issues")
    return [await conn.fetch(f"SELECT to_jsonb(x)::text FROM {table} x ORDER BY 1") for table in tables]


@pytest.mark.parametrize("dry_run", [True, False])
async def test_up_first_counts_what_it_will_quarantine(legacy_database, dry_run):
    conn = (await legacy_database(DOCUMENTED, to=0)).conn
    await conn.execute(ANY_VALUE)
    await conn.execute(
        "UPDATE engineer_assignments SET customer_rating = '5 stars'"
        " WHERE id IN (SELECT id FROM engineer_assignments LIMIT 3)"
    )
    await conn.execute("UPDATE service_tickets SET assigned_at = 'infinity' WHERE id = 'TICKET-2024-0002'")
    row_id = await conn.fetchval("SELECT min(id::text) FROM engineer_assignments WHERE customer_rating <> ''")
    lines = []
    await migrate.up(conn, sql.MIGRATIONS, dry_run=dry_run, emit=lines.append)
    first = [line for line in lines if "to be quarantined" in line]
    assert first == lines[: len(first)]
    assert [line.partition(":")[0] for line in first] == [
        "service_tickets.assigned_at",
        "service_tickets.assigned_engineer_id",
        "engineer_assignments.customer_rating",
        "engineer_assignments.engineer_id",
        "engineer_assignments.status",
    ]
    assert first[2] == (
        f"engineer_assignments.customer_rating: 3 to be quarantined, such as '5 stars' of {row_id}:"
        " customer_rating is not a whole number from 1 to 5"
    )


async def test_a_large_table_is_not_counted_in_advance(legacy_database, monkeypatch):
    conn = (await legacy_database(DOCUMENTED, to=0)).conn
    await conn.execute("ANALYZE")
    monkeypatch.setattr(survey, "MAX_ROWS", 5)
    lines = []
    await migrate.up(conn, sql.MIGRATIONS, dry_run=True, emit=lines.append)
    assert [line.split(" has about")[0] for line in lines if "not counted" in line] == [
        "service_tickets",
        "engineer_assignments",
    ]


@pytest.mark.parametrize("when", ["before up", "before the backfill", "after the backfill"])
@pytest.mark.parametrize(
    ("id_type", "ids"),
    [
        ("bigint", [1, 2, 1, None]),
        ("char(40)", [str(UUID(int=1)), str(UUID(int=2)).upper(), str(UUID(int=1)), None]),
        ("text", ["A-1", " ", "A-1", "A-2"]),
    ],
)
async def test_rows_with_any_id_are_copied_once_or_quarantined(legacy_database, id_type, ids, when):
    conn = (await legacy_database(DOCUMENTED, load=False, to=0)).conn
    await conn.execute(
        "ALTER TABLE engineer_assignments DROP CONSTRAINT engineer_assignments_pkey,"
        " DROP CONSTRAINT engineer_assignments_ticket_id_fkey, ALTER ticket_id TYPE char(40), DROP COLUMN id;"
        f" ALTER TABLE engineer_assignments ADD id {id_type}"
    )
    await insert(conn, "service_tickets", {"id": TICKET, "ticket_number": "N"} | TIMES)
    if when != "before up":
        await migrate.up(conn, sql.MIGRATIONS, to=BACKFILL - 1 if when == "before the backfill" else None)
    for row_id in ids:
        row = {"id": row_id, "ticket_id": TICKET, "engineer_id": ANA, "status": "rejected"}
        await insert(conn, "engineer_assignments", row | TIMES)
    await migrate.up(conn, sql.MIGRATIONS)
    await conn.execute("UPDATE engineer_assignments SET customer_rating = 4")
    reasons = await conn.fetch("SELECT DISTINCT reason FROM assignment_migration_issues ORDER BY 1")
    ratings = await conn.fetch("SELECT customer_rating FROM baton.engineer_assignments")
    assert [row[0] for row in reasons] == ["the id occurs twice", "unknown id"]
    assert [row[0] for row in ratings] == [4, 4]
    assert await mismatches(conn) == []
