"""Both applications at once: each sees what the other writes, and neither undoes it."""

from __future__ import annotations

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
from app.db.connections import connect
from app.db.errors import Unavailable
from app.db.grants import grant
from app.db.migration_files import read
from app.db.pool import open_database
from app.domain.errors import DomainError
from app.domain.model import EngineerId, TicketId
from app.queries import assignments, migration
from tests.factories import DISPATCHER
from tests.migrations.shapes import ALIKE, ANA, BO, ON_SITE, SHAPES, fill, insert

HISTORY = """
SELECT status, engineer_id, assignment_tier FROM baton.engineer_assignments
WHERE ticket_id = $1 ORDER BY assignment_sequence"""
OLD_COLUMNS = "assigned_engineer_id::text, assigned_engineer_name, assignment_tier"


@pytest.fixture(params=SHAPES, ids=lambda s: s.name)
async def both(request, empty_database):
    """The old application's connection, the new one's database, and the id of a ticket that nobody held."""
    async with connect(empty_database) as conn:
        await fill(conn, request.param, load=False)
        ticket = "00000000-0000-0000-0000-00000000000A"
        await conn.execute(
            "INSERT INTO service_tickets (id, ticket_number, equipment_id)"
            " VALUES ($1, 'N', (SELECT id FROM equipment))",
            ticket,
        )
        await migrate.up(conn, sql.MIGRATIONS)
        async with open_database(empty_database, pool_size=4) as db:
            yield conn, db, TicketId(ticket)


async def history(conn, ticket):
    return [tuple(row) for row in await conn.fetch(HISTORY, ticket)]


async def test_what_the_old_application_writes_to_the_ticket_reaches_the_history(both):
    conn, _, ticket = both
    steps = (
        f"assigned_engineer_id = '{ANA}', assignment_tier = 1, status = 'assigned'",
        "status = 'in_progress'",
        f"assigned_engineer_id = '{BO}', assignment_tier = 2, status = 'assigned'",
        "assigned_engineer_id = NULL, status = 'new'",
        f"assigned_engineer_id = '{ANA}', assignment_tier = 2, status = 'assigned'",
        "status = 'resolved', resolved_at = now()",
    )
    seen = []
    for step in steps:
        await conn.execute(f"UPDATE service_tickets SET {step} WHERE id = $1", ticket)
        seen.append((await history(conn, ticket))[-2:])
    assert seen == [
        [("assigned", ANA, 1)],
        [("in_progress", ANA, 1)],
        [("escalated", ANA, 1), ("assigned", BO, 2)],
        [("escalated", ANA, 1), ("cancelled", BO, 2)],
        [("cancelled", BO, 2), ("assigned", ANA, 2)],
        [("cancelled", BO, 2), ("completed", ANA, 2)],
    ]
    assert [line for line in await migration.report(conn) if not line.agrees] == []


async def test_what_the_new_application_does_reaches_the_old_columns(both):
    conn, db, ticket = both
    seen = []

    async def do(decide, command):
        made = await run(db, DISPATCHER, decide, command)
        seen.append(
            tuple(await conn.fetchrow(f"SELECT {OLD_COLUMNS} FROM service_tickets WHERE id = $1", ticket))
        )
        return made

    first = await do(assign_ticket, AssignTicket(ticket_id=ticket, engineer_id=ANA))
    await do(start_assignment, StartAssignment(assignment_id=first.id))
    second = await do(escalate_ticket, EscalateTicket(ticket_id=ticket, next_engineer_id=BO, reason="x"))
    await do(cancel_assignment, CancelAssignment(assignment_id=second.id, reason="x"))
    *held, cleared = seen
    assert held == [(str(ANA), "Ana Lima", 1), (str(ANA), "Ana Lima", 1), (str(BO), "Bo Berg", 2)]
    assert (cleared[0] or None, cleared[1] or None, cleared[2]) == (None, None, None)
    assert [status for status, *_ in await history(conn, ticket)] == ["escalated", "cancelled"]


async def test_the_old_applications_own_assignments_follow(both):
    conn, _, ticket = both
    made = uuid4()
    row = {"id": made, "ticket_id": ticket, "engineer_id": ANA, "status": "assigned"}
    row["equipment_id"] = await conn.fetchval("SELECT id FROM equipment")
    await insert(conn, "engineer_assignments", row)
    assert await history(conn, ticket) == [("assigned", ANA, 1)]
    await conn.execute("UPDATE engineer_assignments SET status = 'accepted', accepted_at = now()")
    assert await history(conn, ticket) == [("accepted", ANA, 1)]
    await conn.execute("DELETE FROM engineer_assignments WHERE id = $1", made)
    assert await history(conn, ticket) == [("cancelled", ANA, 1)]


async def test_an_engineer_on_the_way_is_in_progress(empty_database):
    async with connect(empty_database) as conn:
        cases = await fill(conn, ON_SITE)
        await migrate.up(conn, sql.MIGRATIONS)
        ticket = next(ticket for ticket, case in cases.items() if case.says == "upper case")
        await conn.execute(
            "UPDATE engineer_assignments SET status = 'en_route', work_started_at = now()"
            " WHERE ticket_id = $1",
            ticket,
        )
        [row] = await conn.fetch(
            "SELECT status, started_at IS NOT NULL FROM baton.engineer_assignments WHERE ticket_id = $1",
            ticket,
        )
    assert tuple(row) == ("in_progress", True)


async def test_a_ticket_that_the_backfill_has_not_reached_loses_nothing(empty_database):
    before_backfill = next(m.version for m in read(sql.MIGRATIONS) if m.name == "backfill") - 1
    async with connect(empty_database) as conn:
        await fill(conn, ALIKE)
        await migrate.up(conn, sql.MIGRATIONS, to=before_backfill)
        await conn.execute(
            "UPDATE service_tickets SET assigned_engineer_id = $1, assignment_tier = 3"
            " WHERE id = 'TICKET-2024-0002'",
            str(BO),
        )
        await migrate.up(conn, sql.MIGRATIONS)
        found = await history(conn, "TICKET-2024-0002")
    assert found == [("escalated", ANA, 2), ("in_progress", BO, 3)]


async def test_both_at_once_under_load_lose_nothing_and_agree_in_the_end(empty_database):
    tickets = [TicketId(f"T-{n}") for n in range(6)]
    async with connect(empty_database) as conn:
        await fill(conn, ALIKE, load=False)
        for ticket in tickets:
            await conn.execute("INSERT INTO service_tickets (id, ticket_number) VALUES ($1, $1)", ticket)
        await migrate.up(conn, sql.MIGRATIONS)
        dice = random.Random(7)  # noqa: S311 - a test's choices

        async def old(db, n):
            for i in range(25):
                ticket = dice.choice(tickets)
                async with db.connection() as c:
                    engineer = dice.choice(["", str(ANA), str(BO)])
                    await c.execute(
                        "UPDATE service_tickets SET assigned_engineer_id = $2::varchar, assignment_tier = $3,"
                        " assigned_engineer_name = $4,"
                        " status = CASE $2::varchar WHEN '' THEN 'new' ELSE 'assigned' END WHERE id = $1",
                        ticket, engineer, dice.randint(1, 5), f"old {n}.{i}",
                    )  # fmt: skip

        acknowledged = []

        async def new(db):
            for _ in range(25):
                ticket = dice.choice(tickets)
                async with db.connection() as c:
                    held = await assignments.current_of_tickets(c, [ticket])
                engineer = EngineerId(dice.choice([ANA, BO]))
                try:
                    if not held:
                        made = await run(
                            db,
                            DISPATCHER,
                            assign_ticket,
                            AssignTicket(ticket_id=ticket, engineer_id=engineer),
                        )
                    else:
                        command = EscalateTicket(ticket_id=ticket, next_engineer_id=engineer, reason="load")
                        made = await run(db, DISPATCHER, escalate_ticket, command)
                except (DomainError, Unavailable):
                    continue
                acknowledged.append(made)

        async with open_database(empty_database, pool_size=8) as db:
            await asyncio.gather(*(old(db, n) for n in range(4)), *(new(db) for _ in range(4)))
        kept = {row["id"] for row in await conn.fetch("SELECT id FROM baton.engineer_assignments")}
        report = await migration.report(conn)
        differ = await conn.fetch(
            "SELECT t.id FROM service_tickets t JOIN service_tickets_compat c USING (id)"
            " WHERE coalesce(t.assigned_engineer_id, '') <> coalesce(c.assigned_engineer_id, '')"
        )
    assert acknowledged
    assert {made.id for made in acknowledged} <= kept
    assert [line for line in report if not line.agrees] == []
    assert differ == []


async def test_neither_application_needs_rights_on_the_others_tables(empty_database):
    async with connect(empty_database) as conn:
        await fill(conn, ALIKE)
        await migrate.up(conn, sql.MIGRATIONS)
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
            found = await history(conn, "TICKET-2024-0001")
        finally:
            await conn.execute("RESET ROLE; RESET search_path")
            await conn.execute(f"DROP OWNED BY {old}, {new}; DROP ROLE {old}; DROP ROLE {new}")
    assert found == [("in_progress", ANA, 2)]
