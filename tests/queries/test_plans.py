"""Every read uses the index intended for it."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any
from uuid import UUID

import pytest

import app.queries.assignments
import app.queries.billing
import app.queries.engineers
import app.queries.equipment
import app.queries.events
import app.queries.overdue
import app.queries.rates  # noqa: F401 - these modules load the statements
from app.db import sql
from app.db.connections import Connection, connect
from app.db.pool import open_database
from app.queries import tickets
from app.queries.tickets import TicketFilter
from tests.databases import migrate_whole, new_database
from tests.pgbouncer import USE_FOR_ALL_TESTS

TEXT = {query.name: query.text for query in sql.LOADED}
BIG = {
    "service_tickets",
    "engineer_assignments",
    "ticket_events_before",
    "idempotency_keys_before",
    "hourly_rates",
}

# Three assignments for each of 20,000 tickets; every tenth ticket is assigned, and every hundredth is new.
ROWS = """
INSERT INTO engineers (id, name, home_region)
SELECT md5('engineer' || n)::uuid, 'Engineer ' || n, 'Region ' || n % 100 FROM generate_series(0, 1999) n;

INSERT INTO equipment (id, name) SELECT 'EQ-' || n, 'MRI scanner' FROM generate_series(0, 4999) n;

INSERT INTO service_tickets
    (id, ticket_number, equipment_id, customer_name, issue_category, status, priority, created_at)
SELECT 'T-' || n, 'SR-' || n, 'EQ-' || n % 5000, 'Hospital ' || n % 500, 'Category ' || n % 12,
    CASE WHEN n % 10 = 0 THEN 'assigned' WHEN n % 100 = 1 THEN 'new' ELSE 'closed' END,
    (ARRAY['critical', 'high', 'medium', 'low'])[1 + n % 4],
    '2026-01-01Z'::timestamptz + n * interval '1 minute'
FROM generate_series(0, 19999) n;

INSERT INTO engineer_assignments
    (id, ticket_id, engineer_id, assignment_sequence, assignment_tier, assignment_tier_name,
     assignment_type, status, assigned_at, completed_at, started_at, origin)
SELECT md5('assignment' || n || '.' || s)::uuid, 'T-' || n, md5('engineer' || (n + s) % 2000)::uuid, s,
    1 + n / 10 % 5, 'Tier', 'manual', CASE WHEN s = 3 AND n % 10 = 0 THEN 'assigned' ELSE 'escalated' END,
    '2026-01-01Z'::timestamptz + n * interval '1 minute' + s * interval '1 hour',
    CASE WHEN s < 3 OR n % 10 > 0
        THEN '2026-01-01Z'::timestamptz + n * interval '1 minute' + (s + 1) * interval '1 hour' END,
    '2026-01-01Z'::timestamptz, 'legacy'
FROM generate_series(0, 19999) n, generate_series(1, 3) s;

INSERT INTO ticket_events (ticket_id, assignment_id, type, actor, recorded_at, assignment)
SELECT a.ticket_id, a.id, 'assigned', 'dispatcher', a.assigned_at, '{}' FROM engineer_assignments a;

INSERT INTO hourly_rates (engineer_id, hourly_rate, valid_from, set_by, set_at)
SELECT md5('engineer' || n)::uuid, 80 + y, '2022-01-01Z'::timestamptz + y * interval '1 year', 'admin', now()
FROM generate_series(0, 1999) n, generate_series(0, 4) y;

INSERT INTO idempotency_keys (actor, key, request_hash, event_id, created_at)
SELECT e.actor, 'key ' || e.id, '', e.id, e.recorded_at FROM ticket_events e;
"""


def engineers(count: int) -> list[UUID]:
    return [UUID(md5(f"engineer{n}".encode()).hexdigest()) for n in range(3, 3 + count)]  # noqa: S324


ASSIGNMENTS = [UUID(md5(f"assignment{n}.1".encode()).hexdigest()) for n in range(100)]  # noqa: S324
[ASSIGNMENT, *_] = ASSIGNMENTS
[ENGINEER] = engineers(1)
TICKETS = [f"T-{n}" for n in range(5000, 5100)]
OPEN = ["new", "assigned", "in_progress", "on_hold"]
AFTER = (datetime(2026, 1, 10, tzinfo=UTC), "T-9")
DAY, FIRST_LINES = (datetime(2026, 1, 3, tzinfo=UTC), datetime(2026, 1, 4, tzinfo=UTC)), (None, None, None)
FIRST_PAGE, NEXT_PAGE = (None, None, 26), (*AFTER, 26)

ASSIGNMENT_ID, TICKET_ID, ENGINEER_ID = "engineer_assignments_pkey", "service_tickets_pkey", "engineers_pkey"
ONE_ACTIVE, SEQUENCE = "engineer_assignments_one_active", "engineer_assignments_sequence_once"
ACTIVE_OF_TIER = "engineer_assignments_tier_active"
OF_ENGINEER, ACTIVE_OF_ENGINEER = "engineer_assignments_engineer", "engineer_assignments_engineer_active"
ENDED, OF_CUSTOMER, EVENT_ID = (
    "engineer_assignments_ended",
    "service_tickets_customer",
    "ticket_events_before_id",
)
NEWEST, NEWEST_OF_STATUS = "service_tickets_newest", "service_tickets_status_newest"
SEARCHED, KEY, RATES = "service_tickets_search", "idempotency_keys_pkey", "hourly_rates_of_engineer"

CASES: list[tuple[str, tuple[Any, ...], set[str]]] = [
    ("assignments.assignments_by_ids", (ASSIGNMENTS, None), {ASSIGNMENT_ID}),
    ("assignments.assignments_by_ids", (ASSIGNMENTS, ENGINEER), {ASSIGNMENT_ID}),
    ("assignments.current_of_tickets", (TICKETS,), {ONE_ACTIVE}),
    ("assignments.history_of_tickets", (TICKETS,), {SEQUENCE}),
    ("assignments.newest_of_engineers", (engineers(25), None, None, *FIRST_PAGE), {OF_ENGINEER}),
    (
        "assignments.newest_of_engineers",
        (engineers(25), ENGINEER, ["escalated"], AFTER[0], ASSIGNMENT, 26),
        {OF_ENGINEER},
    ),
    ("assignments.count_of_engineers", (engineers(25), None, ["escalated"]), {OF_ENGINEER}),
    ("assignments.count_active_of_engineers", (engineers(100), None), {ACTIVE_OF_ENGINEER}),
    ("assignments.count_active_of_engineers", (engineers(100), ENGINEER), {ACTIVE_OF_ENGINEER}),
    (
        "assignments.ticket_snapshots",
        (["T-20"], [None], [str(ENGINEER)], ["dispatcher"], ["key 7"], *[[None]] * 4),
        {TICKET_ID, SEQUENCE, ONE_ACTIVE, ENGINEER_ID, KEY},
    ),
    (
        "assignments.ticket_snapshots",
        ([None], [str(ASSIGNMENT)], [None], ["dispatcher"], *[[None]] * 5),
        {TICKET_ID, SEQUENCE, ASSIGNMENT_ID},
    ),
    ("events.assignment_of_event", (5,), {EVENT_ID, ASSIGNMENT_ID}),
    (
        "events.events_in_ranges",
        ([7, 9, 50_000], [7, 9, 2**63 - 1], None, None, None, None, 500),
        {EVENT_ID, SEQUENCE},
    ),
    ("events.events_in_ranges", ([59_000], [59_900], None, ENGINEER, None, None, 500), {EVENT_ID}),
    # Only a few ids: for more, a sequential scan of this small table is the better plan.
    ("engineers.engineers_by_ids", (engineers(3),), {ENGINEER_ID}),
    ("engineers.engineers_by_name", (None, *FIRST_PAGE), {"engineers_by_name"}),
    ("engineers.engineers_by_name", (None, "Engineer 2", ENGINEER, 26), {"engineers_by_name"}),
    (
        "engineers.suggested_engineers",
        (2, "EQ-1", "Hospital 7", ENGINEER, 10),
        {ACTIVE_OF_ENGINEER, SEQUENCE, OF_CUSTOMER},
    ),
    ("equipment.equipment_by_ids", ([f"EQ-{n}" for n in range(3)],), {"equipment_pkey"}),
    ("tickets.lock_ticket", ("T-7", None), {TICKET_ID}),
    ("tickets.lock_ticket", (None, ASSIGNMENT), {ASSIGNMENT_ID, TICKET_ID}),
    ("tickets.tickets_by_ids", (TICKETS, None), {TICKET_ID}),
    ("tickets.tickets_by_ids", (TICKETS, ENGINEER), {TICKET_ID}),
    ("tickets.tickets_with_current", (TICKETS[:1], None), {TICKET_ID, ONE_ACTIVE, ENGINEER_ID}),
    ("tickets.tickets_with_current", (TICKETS[:3], ENGINEER), {TICKET_ID, ONE_ACTIVE, ENGINEER_ID}),
    ("tickets.tickets_with_history", (TICKETS[:1], None), {TICKET_ID, SEQUENCE, ENGINEER_ID}),
    ("tickets.tickets_with_history", (TICKETS[:3], ENGINEER), {TICKET_ID, SEQUENCE, ENGINEER_ID}),
    ("tickets.newest_tickets_of_engineer", (ENGINEER, *[None] * 6, *FIRST_PAGE), {OF_ENGINEER, TICKET_ID}),
    ("tickets.count_tickets_of_engineer", (ENGINEER, *[None] * 6), {OF_ENGINEER, TICKET_ID}),
    ("tickets.newest_tickets", (None, *FIRST_PAGE), {NEWEST}),
    ("tickets.newest_tickets", (["critical"], *NEXT_PAGE), {NEWEST}),
    ("tickets.newest_tickets_of_statuses", (["new"], ["high"], False, *NEXT_PAGE), {NEWEST_OF_STATUS}),
    ("tickets.newest_tickets_of_statuses", (OPEN, None, True, *FIRST_PAGE), {NEWEST_OF_STATUS, ONE_ACTIVE}),
    (
        "tickets.newest_tickets_held_by",
        (*[None] * 3, ENGINEER, None, *FIRST_PAGE),
        {ACTIVE_OF_ENGINEER, TICKET_ID},
    ),
    (
        "tickets.newest_tickets_held_by",
        (["assigned"], ["low"], "%hospital%", ENGINEER, 2, *NEXT_PAGE),
        {ACTIVE_OF_ENGINEER, TICKET_ID},
    ),
    ("tickets.newest_assigned_tickets", (OPEN, ["critical"], None, 3, *NEXT_PAGE), {ACTIVE_OF_TIER}),
    ("tickets.newest_assigned_tickets", (None, None, "%hospital 320%", None, *FIRST_PAGE), {SEARCHED}),
    ("tickets.newest_tickets_matching", ("%SR-12345%", None, None, False, *FIRST_PAGE), {SEARCHED}),
    (
        "tickets.newest_tickets_matching",
        ("%hospital 321%", OPEN, ["high"], True, *NEXT_PAGE),
        {SEARCHED, ONE_ACTIVE},
    ),
    ("tickets.count_tickets_held_by", (*[None] * 3, ENGINEER, None), {ACTIVE_OF_ENGINEER, TICKET_ID}),
    ("tickets.count_assigned_tickets", (["assigned"], ["low"], None, 3), {ACTIVE_OF_TIER}),
    ("tickets.count_tickets", (["new"], None, None, True), {NEWEST_OF_STATUS, ONE_ACTIVE}),
    ("tickets.count_tickets", (None, None, "%hospital 321%", False), {SEARCHED}),
    ("overdue.lock_overdue_ticket", ([],), {"engineer_assignments_unaccepted"}),
    ("billing.billable_lines", (*DAY, None, None, *FIRST_LINES, 26), {ENDED, RATES, TICKET_ID}),
    ("billing.billable_lines", (*DAY, "Hospital 7", None, "T-6", ENGINEER, 5, 26), {OF_CUSTOMER, RATES}),
    (
        "billing.every_billable_line",
        (DAY[0], DAY[0] + timedelta(minutes=10), None, None),
        {ENDED, RATES, TICKET_ID},
    ),
    ("billing.billable_totals", (*DAY, None, None), {ENDED, RATES}),
    ("rates.rate_snapshot", (ENGINEER, AFTER[0], "dispatcher", "key 7"), {ENGINEER_ID, KEY, RATES}),
    ("rates.rate_by_id", (7,), {"hourly_rates_pkey"}),
    ("rates.rates_of_engineer", (ENGINEER, None, None, 26), {RATES}),
    ("rates.rates_of_engineer", (ENGINEER, AFTER[0], 7, 26), {RATES}),
    ("rates.count_rates_of_engineer", (ENGINEER,), {RATES}),
]
SEARCH = TicketFilter(search="hospital 320")
CUSTOM_PLANS = {
    "tickets.newest_tickets_matching",
    "tickets.newest_assigned_tickets",
    "tickets.count_tickets",
    "tickets.count_assigned_tickets",
}
"""The most selective condition depends on the values, so only a custom plan can be right."""
MANY_ROWS = {
    "engineers.suggested_engineers": 2000,  # all engineers
    "tickets.newest_tickets_of_statuses": 2100,  # all tickets of the statuses, which are assigned
    "tickets.count_tickets": 2000,
    "tickets.count_assigned_tickets": 2000,
    "billing.billable_lines": 4200,  # all lines of a day
    "billing.billable_totals": 4200,
    "billing.every_billable_line": 4200,
}
"""Rows that some statements have to read."""


@pytest.fixture(scope="module")
async def full(server: str) -> AsyncIterator[Connection]:
    async with new_database(server) as url:
        await migrate_whole(url)
        async with connect(url) as conn:
            await conn.execute(ROWS)
            await conn.execute("VACUUM ANALYZE")
        async with open_database(url, pool_size=1) as db, db.connection() as conn:
            yield conn


def parts(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from parts(part)


def indexes(explained: str) -> set[str]:
    """Return the indexes of the plan. Fails for a sequential scan of a big table."""
    [result] = json.loads(explained)
    plan = list(parts(result["Plan"]))
    scanned = {part["Relation Name"] for part in plan if part["Node Type"] == "Seq Scan"} & BIG
    assert not scanned, json.dumps(result, indent=1)
    return {part["Index Name"] for part in plan if "Index Name" in part}


@pytest.mark.parametrize(("statement", "arguments", "intended"), CASES)
async def test_read_uses_its_index(full, statement, arguments, intended):
    explained = await full.fetchval(f"EXPLAIN (FORMAT JSON) {TEXT[statement]}", *arguments)
    assert indexes(explained) >= intended, explained


async def generic_execution(conn: Connection, statement: str, arguments: tuple[Any, ...]) -> str:
    """Execute with a generic plan, as the sessions of the pool do; returns the output of EXPLAIN."""
    prepared = await conn.prepare(TEXT[statement])
    types = [parameter.name for parameter in prepared.get_parameters()]
    values = [
        await conn.fetchval(f"SELECT quote_nullable($1::{type_}::text)", value)
        for type_, value in zip(types, arguments, strict=True)
    ]
    declared, given = (f"({', '.join(of)})" if of else "" for of in (types, values))
    async with conn.transaction():
        await conn.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await conn.execute(f"PREPARE generic {declared} AS {TEXT[statement]}")
        explained: str = await conn.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE generic {given}")
        await conn.execute("DEALLOCATE generic")
    return explained


@pytest.mark.parametrize(("statement", "arguments", "_"), CASES)
async def test_read_reads_few_rows(full, statement, arguments, _):
    """A plan that uses an index may still read all of it."""
    if statement in CUSTOM_PLANS:
        explained = await full.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {TEXT[statement]}", *arguments)
    else:
        explained = await generic_execution(full, statement, arguments)
    rows = [
        (part["Actual Rows"] + part.get("Rows Removed by Filter", 0)) * part["Actual Loops"]
        for part in parts(json.loads(explained)[0]["Plan"])
        if part.get("Relation Name") in BIG
    ]
    assert max(rows, default=0) <= MANY_ROWS.get(statement, 1500), explained


@pytest.mark.skipif(USE_FOR_ALL_TESTS, reason="the pooler keeps no prepared statements")
@pytest.mark.parametrize(
    ("read", "statement", "is_generic"),
    [
        (lambda conn: tickets.newest(conn, SEARCH, after=None, first=26), "newest_tickets_matching", False),
        (lambda conn: tickets.count(conn, SEARCH), "count_tickets", False),
        (lambda conn: tickets.by_ids(conn, TICKETS[:1]), "tickets_by_ids", True),
        (lambda conn: tickets.with_current(conn, TICKETS[:1]), "tickets_with_current", True),
        (lambda conn: tickets.with_history(conn, TICKETS), "tickets_with_history", True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_plan_is_generic_unless_the_values_decide(full, read, statement, is_generic):
    for _ in range(3):
        await read(full)
    plans = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE starts_with(statement, $1)"
    generic, custom = await full.fetchrow(plans, f"/* tickets.{statement} */")
    assert (generic > 0, custom > 0) == (is_generic, not is_generic)
