"""What the database itself refuses, whatever the code does; and that code and database use the same words."""

from __future__ import annotations

import re

import asyncpg
import pytest

from app.db.sql import LOADED
from app.domain.lifecycle import ACTIVE, ENDED, EventType
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
    ("constraint", "words"),
    [
        ("chk_status", AssignmentStatus),
        ("chk_assignment_type", AssignmentType),
        ("chk_completion_status", CompletionStatus),
        ("service_tickets_status_check", TicketStatus),
        ("service_tickets_priority_check", TicketPriority),
        ("assignment_events_type_check", EventType),
    ],
)
async def test_a_check_allows_the_words_of_the_domain(tx, constraint, words):
    definition = await tx.fetchval(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = $1", constraint
    )
    assert set(re.findall(r"'(\w+)'::", definition)) == set(words)


async def test_each_status_has_its_facts_and_what_has_ended_is_kept(tx):
    facts, kept = await tx.fetchrow(
        "SELECT pg_get_constraintdef(c.oid), pg_get_triggerdef(t.oid) FROM pg_constraint c, pg_trigger t"
        " WHERE c.conname = 'chk_status_has_its_facts' AND t.tgname = 'ended_assignment_is_kept'"
    )
    assert set(re.findall(r"WHEN '(\w+)'", facts)) == set(AssignmentStatus)
    assert set(re.findall(r"'(\w+)'::", kept)) == ENDED


async def test_active_means_the_same_in_every_index_and_view(tx):
    texts = await tx.fetch(
        "SELECT pg_get_expr(indpred, indrelid) FROM pg_index"
        " WHERE indpred IS NOT NULL AND indexrelid <> 'engineer_assignments_unaccepted'::regclass"
        " UNION ALL SELECT pg_get_viewdef('current_ticket_assignments'::regclass)"
    )
    assert len(texts) == 4
    for (text,) in texts:
        assert set(re.findall(r"'(\w+)'::text", text)) == ACTIVE


async def test_every_tier_can_have_a_limit(tx):
    assert dict(await tx.fetch("SELECT tier, accept_within FROM assignment_tiers")) == dict.fromkeys(
        TIER_NAMES
    )


@pytest.fixture
async def row(tx):
    """Inserts an assignment of one ticket straight into the table; what is not given is as in a good row."""
    ticket = await tx.fetchval(
        "INSERT INTO service_tickets (id, ticket_number) VALUES ('T', 'T') RETURNING id"
    )
    engineer = await tx.fetchval("INSERT INTO engineers (name) VALUES ('Ana') RETURNING id")

    async def insert(**columns):
        given = {
            "ticket_id": ticket,
            "engineer_id": engineer,
            "assignment_sequence": 1,
            "assignment_tier": 1,
            "assignment_tier_name": "OEM",
            "parts_used": "[]",
        } | columns
        names, places = ", ".join(given), ", ".join(f"${i}" for i in range(1, len(given) + 1))
        async with tx.transaction():
            return await tx.fetchval(
                f"INSERT INTO engineer_assignments ({names}) VALUES ({places}) RETURNING id",
                *given.values(),
            )

    return insert


async def test_a_ticket_has_one_active_assignment_at_most(row):
    await row()
    with pytest.raises(asyncpg.UniqueViolationError, match="engineer_assignments_one_active"):
        await row(assignment_sequence=2)


async def test_a_sequence_is_given_once(row, tx):
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
async def test_a_row_has_the_facts_of_its_status(row, columns):
    with pytest.raises(asyncpg.CheckViolationError):
        await row(**columns)


async def test_what_has_ended_does_not_change_but_for_the_customers_word(row, tx):
    now = await tx.fetchval("SELECT now()")
    ended = await row(status="rejected", rejected_at=now, rejection_reason="too far")
    await tx.execute(
        "UPDATE engineer_assignments SET customer_rating = 5, customer_feedback = 'ok' WHERE id = $1", ended
    )
    for change in ("status = 'assigned'", "rejection_reason = ''", "notes = 'x'", "engineer_id = DEFAULT"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            async with tx.transaction():
                await tx.execute(f"UPDATE engineer_assignments SET {change} WHERE id = $1", ended)


async def test_time_can_be_moved_by_a_test_only_within_its_transaction(tx):
    await tx.execute("SET LOCAL app.now = '2030-01-01Z'")
    assert (await tx.fetchval("SELECT app_now()")).year == 2030


async def test_a_table_that_is_named_as_a_type_is_locked_too(tx):
    """Else its columns may change after the statement was planned, and before it is executed."""
    tables = {name for (name,) in await tx.fetch("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')")}
    named = [
        (query, table)
        for query in LOADED
        for table in tables & set(re.findall(r"::(?:baton\.)?(\w+)\b", query.text))
    ]
    assert len(named) == 3
    for query, table in named:
        assert re.search(rf"\b(FROM|JOIN|INTO|UPDATE) {table}\b", query.text), query.name
