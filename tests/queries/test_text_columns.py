"""Rows read by column: the same values as rows read one by one, and texts as a response has them."""

from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.db import sql
from app.db.text_columns import fetch_rows
from app.domain.model import Assignment, CompletionStatus
from app.rows import Rows, attribute, group_by, join

HISTORY = next(query for query in sql.LOADED if query.name == "assignments.history_of_tickets")
TIMES = (
    st.none()
    | st.datetimes(timezones=st.just(UTC))
    | st.datetimes(timezones=st.just(UTC)).map(
        lambda time: time.replace(microsecond=time.microsecond // 100_000 * 100_000)
    )
)
HOURS = st.none() | st.decimals(0, 999, places=2)
CHANGE = """UPDATE engineer_assignments SET origin = 'legacy', accepted_at = $2, assigned_at = $3,
    time_spent_hours = $4, completion_status = $5 WHERE id = $1"""


@pytest.fixture
async def ticket(make):
    """The id of a ticket with two assignments, and the id of the last."""
    ticket_id = await make.ticket()
    engineer = await make.engineer()
    await make.legacy_assignment(ticket_id=ticket_id, engineer_id=engineer, status="rejected")
    last = await make.assigned(ticket=ticket_id)
    return ticket_id, last.id


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(TIMES, TIMES, HOURS, st.none() | st.sampled_from(CompletionStatus))
@example(datetime(1, 1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC), Decimal("1.10"), None)
async def test_values_are_those_of_rows_read_one_by_one(db, ticket, accepted, assigned, hours, outcome):
    ticket_id, assignment_id = ticket
    assigned = assigned or datetime(2026, 3, 1, tzinfo=UTC)
    async with db.connection() as conn:
        await conn.execute(CHANGE, assignment_id, accepted, assigned, hours, outcome)
        rows = await fetch_rows(HISTORY, conn, [ticket_id])
        expected = await HISTORY.all(conn, [ticket_id])
    assert type(rows) is Rows
    for row, other in zip(rows, expected, strict=True):
        assert isinstance(row, Assignment)
        for f in fields(Assignment):
            assert getattr(row, f.name) == getattr(other, f.name)
    for f in fields(Assignment):
        assert list(rows.values(f.name)) == [getattr(row, f.name) for row in expected]
    times = [row.accepted_at and row.accepted_at.isoformat() for row in expected]
    assert list(rows.stored("accepted_at")) == times


async def test_omitted_columns_are_none(db, ticket):
    async with db.connection() as conn:
        [first, _] = await fetch_rows(HISTORY, conn, [ticket[0]], omit=frozenset({"assigned_at", "notes"}))
    assert (first.assigned_at, first.notes, first.assignment_sequence) == (None, None, 1)


async def test_rows_of_one_statement_are_joined_and_split(db, make, ticket):
    other = await make.assigned()
    async with db.connection() as conn:
        rows = await fetch_rows(HISTORY, conn, [ticket[0], other.ticket_id])
        another = await fetch_rows(HISTORY, conn, [other.ticket_id])
    groups = group_by(rows, "ticket_id")
    assert {key: len(group) for key, group in groups.items()} == {ticket[0]: 2, other.ticket_id: 1}
    joined = join([groups[other.ticket_id], [], groups[ticket[0]]])
    assert attribute(joined, "id") == [other.id, *(row.id for row in groups[ticket[0]])]
    assert [row.id for row in joined[1:]] == [row.id for row in groups[ticket[0]]]
    assert join([rows, another]) is join([[], []]) is None
