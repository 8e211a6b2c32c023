"""Dual write: the old and the new application run at the same time and see each other's changes."""

import asyncio
import random
from uuid import uuid4

import pytest

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.cancel import CancelAssignment, cancel_assignment
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.run import run
from app.commands.start import StartAssignment, start_assignment
from app.db import migrate, sql
from app.db.errors import Unavailable
from app.db.grants import grant
from app.db.migration_files import read
from app.db.pool import open_database
from app.domain.errors import DomainError
from app.domain.model import EngineerId, TicketId
from app.queries import assignments
from tests.factories import DISPATCHER
from tests.migrations.shapes import ANA, BO, DOCUMENTED, ON_SITE, SHAPES, insert, mismatches

BEFORE_BACKFILL = next(m.version for m in read(sql.MIGRATIONS) if m.name == "backfill") - 1
TICKET = TicketId("00000000-0000-0000-0000-00000000000A")
HISTORY = """
SELECT status, engineer_id, assignment_tier FROM baton.engineer_assignments
WHERE ticket_id = $1 ORDER BY assignment_sequence"""
OLD_COLUMNS = """
SELECT assigned_engineer_id::text, assigned_engineer_name, assignment_tier
FROM service_tickets WHERE id = $1"""


@pytest.fixture(params=SHAPES, ids=lambda s: s.name)
async def both(request, legacy_database):
    """The connection of the old application and the database of the new one, with one unassigned ticket."""
    legacy = await legacy_database(request.param, load=False)
    await legacy.conn.execute(
        "INSERT INTO service_tickets (id, ticket_number, equipment_id)"
        " VALUES ($1, 'N', (SELECT id FROM equipment))",
        TICKET,
    )
    async with open_database(legacy.url, pool_size=4) as db:
        yield legacy.conn, db


async def history(conn, ticket=TICKET):
    return [tuple(row) for row in await conn.fetch(HISTORY, ticket)]


async def test_old_writes_to_a_ticket_reach_the_history(both):
    conn, _ = both
    updates = (
        f"assigned_engineer_id = '{ANA}', assignment_tier = 1, status = 'assigned'",
        "status = 'in_progress'",
        f"assigned_engineer_id = '{BO}', assignment_tier = 2, status = 'assigned'",
        "assigned_engineer_id = NULL, status = 'new'",
        f"assigned_engineer_id = '{ANA}', assignment_tier = 2, status = 'assigned'",
        "status = 'resolved', resolved_at = now()",
    )
    results = []
    for update in updates:
        await conn.execute(f"UPDATE service_tickets SET {update} WHERE id = $1", TICKET)
        results.append((await history(conn))[-2:])
    assert results == [
        [("assigned", ANA, 1)],
        [("in_progress", ANA, 1)],
        [("escalated", ANA, 1), ("assigned", BO, 2)],
        [("escalated", ANA, 1), ("cancelled", BO, 2)],
        [("cancelled", BO, 2), ("assigned", ANA, 2)],
        [("cancelled", BO, 2), ("completed", ANA, 2)],
    ]
    assert await mismatches(conn) == []


async def test_new_commands_reach_the_old_columns(both):
    conn, db = both
    results = []

    async def do(decide, command):
        assignment = await run(db, DISPATCHER, decide, command)
        results.append(tuple(await conn.fetchrow(OLD_COLUMNS, TICKET)))
        return assignment

    first = await do(assign_ticket, AssignTicket(ticket_id=TICKET, engineer_id=ANA))
    await do(start_assignment, StartAssignment(assignment_id=first.id))
    second = await do(escalate_ticket, EscalateTicket(ticket_id=TICKET, next_engineer_id=BO, reason="x"))
    await do(cancel_assignment, CancelAssignment(assignment_id=second.id, reason="x"))
    *assigned, cancelled = results
    assert assigned == [(str(ANA), "Ana Lima", 1), (str(ANA), "Ana Lima", 1), (str(BO), "Bo Berg", 2)]
    assert (cancelled[0] or None, cancelled[1] or None, cancelled[2]) == (None, None, None)
    assert [status for status, *_ in await history(conn)] == ["escalated", "cancelled"]


async def test_old_assignment_rows_reach_the_history(both):
    conn, _ = both
    row = {"id": uuid4(), "ticket_id": TICKET, "engineer_id": ANA, "status": "assigned"}
    row["equipment_id"] = await conn.fetchval("SELECT id FROM equipment")
    await insert(conn, "engineer_assignments", row)
    assert await history(conn) == [("assigned", ANA, 1)]
    await conn.execute("UPDATE engineer_assignments SET status = 'accepted', accepted_at = now()")
    assert await history(conn) == [("accepted", ANA, 1)]
    await conn.execute("DELETE FROM engineer_assignments WHERE id = $1", row["id"])
    assert await history(conn) == [("cancelled", ANA, 1)]


async def test_verify_reports_rows_that_truncate_removed(both):
    """No trigger per row fires: the history keeps what it has."""
    conn, _ = both
    row = {"id": uuid4(), "ticket_id": TICKET, "engineer_id": ANA, "status": "assigned"}
    row["equipment_id"] = await conn.fetchval("SELECT id FROM equipment")
    await insert(conn, "engineer_assignments", row)
    await conn.execute("TRUNCATE engineer_assignments")
    assert await history(conn) == [("assigned", ANA, 1)]
    [line] = await mismatches(conn)
    assert (line.item, line.counted) == ("Assignments without an old row", 1)


async def test_status_en_route_becomes_in_progress(legacy_database):
    legacy = await legacy_database(ON_SITE)
    ticket = legacy.tickets["upper case"]
    await legacy.conn.execute(
        "UPDATE engineer_assignments SET status = 'en_route', work_started_at = now() WHERE ticket_id = $1",
        ticket,
    )
    row = await legacy.conn.fetchrow(
        "SELECT status, started_at IS NOT NULL FROM baton.engineer_assignments WHERE ticket_id = $1", ticket
    )
    assert tuple(row) == ("in_progress", True)


async def test_a_write_before_the_backfill_loses_nothing(legacy_database):
    conn = (await legacy_database(DOCUMENTED, to=BEFORE_BACKFILL)).conn
    await conn.execute(
        "UPDATE service_tickets SET assigned_engineer_id = $1, assignment_tier = 3"
        " WHERE id = 'TICKET-2024-0002'",
        str(BO),
    )
    await migrate.up(conn, sql.MIGRATIONS)
    assert await history(conn, "TICKET-2024-0002") == [("escalated", ANA, 2), ("in_progress", BO, 3)]


async def test_concurrent_writes_of_both_are_kept_and_agree(legacy_database):
    legacy = await legacy_database(DOCUMENTED, load=False)
    conn = legacy.conn
    tickets = [TicketId(f"T-{n}") for n in range(6)]
    await conn.executemany(
        "INSERT INTO service_tickets (id, ticket_number) VALUES ($1, $1)", [(ticket,) for ticket in tickets]
    )
    rng = random.Random(7)  # noqa: S311 - a test's choices
    made = []

    async def write_old(db, n):
        for i in range(25):
            ticket, engineer = rng.choice(tickets), rng.choice(["", str(ANA), str(BO)])
            async with db.connection() as c:
                await c.execute(
                    "UPDATE service_tickets SET assigned_engineer_id = $2::varchar, assignment_tier = $3,"
                    " assigned_engineer_name = $4,"
                    " status = CASE $2::varchar WHEN '' THEN 'new' ELSE 'assigned' END WHERE id = $1",
                    ticket, engineer, rng.randint(1, 5), f"old {n}.{i}",
                )  # fmt: skip

    async def write_new(db):
        for _ in range(25):
            ticket, engineer = rng.choice(tickets), EngineerId(rng.choice([ANA, BO]))
            async with db.connection() as c:
                current = await assignments.current_of_tickets(c, [ticket])
            assign = AssignTicket(ticket_id=ticket, engineer_id=engineer)
            escalate = EscalateTicket(ticket_id=ticket, next_engineer_id=engineer, reason="load")
            decide, command = (escalate_ticket, escalate) if current else (assign_ticket, assign)
            try:
                made.append(await run(db, DISPATCHER, decide, command))
            except (DomainError, Unavailable):
                continue

    async with open_database(legacy.url, pool_size=8) as db:
        await asyncio.gather(*(write_old(db, n) for n in range(4)), *(write_new(db) for _ in range(4)))
    kept = {row["id"] for row in await conn.fetch("SELECT id FROM baton.engineer_assignments")}
    different = await conn.fetch(
        "SELECT t.id FROM service_tickets t JOIN service_tickets_compat c USING (id)"
        " WHERE coalesce(t.assigned_engineer_id, '') <> coalesce(c.assigned_engineer_id, '')"
    )
    assert made
    assert {assignment.id for assignment in made} <= kept
    assert await mismatches(conn) == []
    assert different == []


async def test_each_application_needs_rights_on_its_own_tables_only(legacy_database):
    conn = (await legacy_database(DOCUMENTED)).conn
    old, new = f"old_{uuid4().hex}", f"new_{uuid4().hex}"
    await conn.execute(f"CREATE ROLE {old}; CREATE ROLE {new}")
    await conn.execute(
        f"GRANT SELECT, INSERT, UPDATE ON service_tickets, public.engineer_assignments TO {old}"
    )
    await grant(conn, new)
    try:
        await conn.execute(f"SET ROLE {old}")
        await conn.execute(
            "UPDATE service_tickets SET assigned_engineer_id = $1, status = 'assigned'"
            " WHERE id = 'TICKET-2024-0001'",
            str(ANA),
        )
        await conn.execute(f"SET ROLE {new}; SET search_path = baton, public")
        async with conn.transaction():
            await conn.execute(
                "UPDATE engineer_assignments SET status = 'accepted', accepted_at = now()"
                " WHERE ticket_id = 'TICKET-2024-0001'"
            )
            await conn.execute(
                "UPDATE service_tickets SET status = 'in_progress' WHERE id = 'TICKET-2024-0001'"
            )
        await conn.execute("RESET ROLE; RESET search_path")
        assert await history(conn, "TICKET-2024-0001") == [("in_progress", ANA, 2)]
    finally:
        await conn.execute("RESET ROLE; RESET search_path")
        await conn.execute(f"DROP OWNED BY {old}, {new}; DROP ROLE {old}; DROP ROLE {new}")
