"""Benchmark data: any number of tickets with four assignments each, the last one current."""

from datetime import UTC, datetime, timedelta
from hashlib import md5
from uuid import UUID

import asyncpg

from app.db.connections import connect

HISTORY = 4
ENGINEERS = 400
LONG_HISTORIES = (1, 10, 100)
LONG_HISTORIES_EACH = 100

# Every value is derived from the ticket's number, so databases of one size are equal.
_ENGINEERS = f"""
    INSERT INTO engineers (id, name)
    SELECT md5('engineer' || n)::uuid, 'Engineer ' || n FROM generate_series(0, {ENGINEERS - 1}) AS n
    ON CONFLICT DO NOTHING"""
_TICKETS = """
    INSERT INTO service_tickets (id, ticket_number, customer_name, issue_category, issue_description,
        priority, status, created_at, updated_at)
    SELECT $1 || n, $1 || 'SR-' || n, 'Hospital ' || n % 500, 'Image quality', 'Stripes in every image',
        (ARRAY['critical', 'high', 'medium', 'low'])[n % 4 + 1], 'assigned', at, at
    FROM generate_series($2::int, $3::int) AS n,
        LATERAL (SELECT timestamptz '2020-01-01Z' + n * interval '30 s' AS at) AS of"""
_ASSIGNMENTS = """
    INSERT INTO engineer_assignments (id, ticket_id, engineer_id, assignment_sequence, assignment_tier,
        assignment_tier_name, assignment_type, status, assigned_by, assigned_at, accepted_at, completed_at,
        escalation_reason, completion_status, time_spent_hours)
    SELECT md5($1 || n || '/' || s)::uuid, $1 || n, md5('engineer' || (n + s) % 400)::uuid, s, least(s, 5),
        (ARRAY['OEM', 'Dealer', 'Distributor', 'Service provider', 'Hospital'])[least(s, 5)],
        CASE s WHEN 1 THEN 'manual' ELSE 'escalation' END,
        CASE s WHEN $4 THEN 'accepted' ELSE 'escalated' END, 'dispatcher', at, at + interval '1 h',
        CASE WHEN s < $4 THEN at + interval '3 h' END,
        CASE WHEN s < $4 THEN 'Needs a part we do not have' END, CASE WHEN s < $4 THEN 'escalated' END,
        CASE WHEN s < $4 THEN 1.25 END
    FROM generate_series($2::int, $3::int) AS n, generate_series(1, $4::int) AS s, LATERAL (
        SELECT timestamptz '2020-01-01Z' + n * interval '30 s' + s * interval '3 h' AS at) AS of"""


def created_at(number: int) -> datetime:
    """The creation time of the ticket with this number; see _TICKETS."""
    return datetime(2020, 1, 1, tzinfo=UTC) + number * timedelta(seconds=30)


async def prepare(url: str) -> None:
    """Load engineers, and tickets with each of the LONG_HISTORIES: H<length>-1 and so on."""
    async with connect(url) as conn:
        await conn.execute(_ENGINEERS)
        for length in LONG_HISTORIES:
            await _load(conn, f"H{length}-", 1, LONG_HISTORIES_EACH, length)


async def load(url: str, first: int, last: int) -> None:
    """Load the tickets T-<first> to T-<last>."""
    async with connect(url) as conn:
        await _load(conn, "T-", first, last, HISTORY)
        await conn.execute("VACUUM ANALYZE")


HOLDER = str(UUID(md5(b"engineer0", usedforsecurity=False).hexdigest()))
"""Engineer of the tickets made by make_tickets."""
_NEW_TICKETS = """
    INSERT INTO service_tickets (id, ticket_number, customer_name, issue_category, issue_description, status)
    SELECT 'NEW-' || n, 'NEW-SR-' || n, 'Hospital ' || n % 500, 'Image quality', 'Stripes in every image',
        CASE WHEN $3::text IS NULL THEN 'new' ELSE 'assigned' END
    FROM generate_series($1::int, $2::int) AS n"""
_NEW_ASSIGNMENTS = """
    INSERT INTO engineer_assignments (id, ticket_id, engineer_id, assignment_sequence, assignment_tier,
        assignment_tier_name, assignment_type, status, assigned_by, accepted_at)
    SELECT md5('NEW-' || n)::uuid, 'NEW-' || n, md5('engineer0')::uuid, 1, 1, 'OEM', 'manual', $3,
        'dispatcher', CASE WHEN $3 = 'accepted' THEN now() END
    FROM generate_series($1::int, $2::int) AS n RETURNING id::text"""


async def make_tickets(conn: asyncpg.Connection, first: int, last: int, status: str | None) -> list[str]:
    """Make the tickets NEW-<first> to NEW-<last>, and return the ids of their assignments, if any."""
    await conn.execute(_NEW_TICKETS, first, last, status)
    if status is None:
        return []
    return [row["id"] for row in await conn.fetch(_NEW_ASSIGNMENTS, first, last, status)]


async def load_history(url: str, prefix: str, assignments: int) -> None:
    """Load the ticket <prefix>1 with a history of this length."""
    conn = await asyncpg.connect(url)
    try:
        await conn.execute(_ENGINEERS)
        await _load(conn, prefix, 1, 1, assignments)
    finally:
        await conn.close()


async def engineers(url: str) -> list[str]:
    """Return the ids of all engineers."""
    async with connect(url) as conn:
        return [str(row["id"]) for row in await conn.fetch("SELECT id FROM engineers ORDER BY id")]


async def _load(conn: asyncpg.Connection, prefix: str, first: int, last: int, history: int) -> None:
    async with conn.transaction():
        # Skip foreign key checks: for millions of rows they take longer than everything else.
        await conn.execute("SET LOCAL session_replication_role = replica")
        await conn.execute(_TICKETS, prefix, first, last)
        await conn.execute(_ASSIGNMENTS, prefix, first, last, history)
