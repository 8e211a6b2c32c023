"""The constraints of the database; it and the code use the same values."""

import re

import asyncpg
import pytest

from app.db.sql import LOADED
from app.domain.events import EventType
from app.domain.lifecycle import ACTIVE, ENDED
from app.domain.model import (
    TIER_NAMES,
    AssignmentStatus,
    AssignmentType,
    CompletionStatus,
    TicketPriority,
    TicketStatus,
)
from tests.snapshots import SCHEMA_SQL, dump


def test_schema_sql_is_current(fresh_url):
    assert SCHEMA_SQL.read_text(encoding="utf-8") == dump(fresh_url), "run: make fix"


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("chk_status", AssignmentStatus),
        ("chk_assignment_type", AssignmentType),
        ("chk_completion_status", CompletionStatus),
        ("service_tickets_status_check", TicketStatus),
        ("service_tickets_priority_check", TicketPriority),
        ("ticket_events_type_check", EventType),
    ],
)
async def test_check_allows_the_values_of_the_enum(tx, constraint, values):
    definition = await tx.fetchval(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = $1", constraint
    )
    assert set(re.findall(r"'(\w+)'::", definition)) == set(values)


async def test_constraints_name_every_status(tx):
    check, trigger = await tx.fetchrow(
        "SELECT pg_get_constraintdef(c.oid), pg_get_triggerdef(t.oid) FROM pg_constraint c, pg_trigger t"
        " WHERE c.conname = 'chk_status_has_its_facts' AND t.tgname = 'ended_assignment_is_kept'"
    )
    assert set(re.findall(r"WHEN '(\w+)'", check)) == set(AssignmentStatus)
    assert set(re.findall(r"'(\w+)'::", trigger)) == ENDED


async def test_indexes_and_view_list_the_active_statuses(tx):
    texts = await tx.fetch(
        "SELECT pg_get_expr(indpred, indrelid) FROM pg_index"
        " WHERE indrelid = 'engineer_assignments'::regclass AND indpred IS NOT NULL"
        " AND indexrelid <> 'engineer_assignments_unaccepted'::regclass"
        " UNION ALL SELECT pg_get_viewdef('current_ticket_assignments'::regclass)"
    )
    assert len(texts) == 4
    for (text,) in texts:
        assert set(re.findall(r"'(\w+)'::text", text)) == ACTIVE


async def test_every_tier_has_a_row_for_its_limit(tx):
    assert dict(await tx.fetch("SELECT tier, accept_within FROM assignment_tiers")) == dict.fromkeys(
        TIER_NAMES
    )


@pytest.fixture
async def row(tx):
    """Insert an assignment of one ticket into the table. Columns that are not given have valid values."""
    ticket = await tx.fetchval(
        "INSERT INTO service_tickets (id, ticket_number) VALUES ('T', 'T') RETURNING id"
    )
    engineer = await tx.fetchval("INSERT INTO engineers (name) VALUES ('Ana') RETURNING id")

    async def insert(**columns):
        values = {
            "ticket_id": ticket,
            "engineer_id": engineer,
            "assignment_sequence": 1,
            "assignment_tier": 1,
            "assignment_tier_name": "OEM",
            "parts_used": "[]",
        } | columns
        names, parameters = ", ".join(values), ", ".join(f"${i}" for i in range(1, len(values) + 1))
        async with tx.transaction():
            return await tx.fetchval(
                f"INSERT INTO engineer_assignments ({names}) VALUES ({parameters}) RETURNING id",
                *values.values(),
            )

    return insert


async def test_ticket_has_at_most_one_active_assignment(row):
    await row()
    with pytest.raises(asyncpg.UniqueViolationError, match="engineer_assignments_one_active"):
        await row(assignment_sequence=2)


async def test_sequence_is_unique_in_a_ticket(row, tx):
    now = await tx.fetchval("SELECT now()")
    await row(status="cancelled", completed_at=now, cancellation_reason="x")
    with pytest.raises(asyncpg.UniqueViolationError, match="engineer_assignments_sequence_once"):
        await row()


@pytest.mark.parametrize(
    "columns",
    [
        {"status": "accepted"},
        {"status": "in_progress"},
        {"status": "completed"},
        {"status": "failed"},
        {"status": "rejected"},
        {"status": "escalated"},
        {"status": "cancelled"},
        {"status": "done"},
        {"assignment_sequence": 0},
        {"assignment_tier": 0},
        {"assignment_type": "robot"},
        {"customer_rating": 6},
        {"parts_used": "{}"},
    ],
    ids=str,
)
async def test_status_requires_its_columns(row, columns):
    with pytest.raises(asyncpg.CheckViolationError):
        await row(**columns)


async def test_ended_assignment_changes_only_its_rating(row, tx):
    now = await tx.fetchval("SELECT now()")
    ended = await row(status="rejected", rejected_at=now, rejection_reason="too far")
    await tx.execute(
        "UPDATE engineer_assignments SET customer_rating = 5, customer_feedback = 'ok' WHERE id = $1", ended
    )
    for change in ("status = 'assigned'", "rejection_reason = ''", "notes = 'x'", "engineer_id = DEFAULT"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            async with tx.transaction():
                await tx.execute(f"UPDATE engineer_assignments SET {change} WHERE id = $1", ended)


async def test_app_now_can_be_set_in_a_transaction(tx):
    await tx.execute("SET LOCAL app.now = '2030-01-01Z'")
    assert (await tx.fetchval("SELECT app_now()")).year == 2030


async def test_table_used_as_a_type_is_locked(tx):
    """Without the lock, its columns may change between planning and execution."""
    tables = {name for (name,) in await tx.fetch("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')")}
    uses = [
        (query, table)
        for query in LOADED
        for table in tables & set(re.findall(r"::(?:baton\.)?(\w+)\b", query.text))
    ]
    assert len(uses) == 10
    for query, table in uses:
        assert re.search(rf"\b(FROM|JOIN|INTO|UPDATE) {table}\b", query.text), query.name
