"""The old application is gone: one schema whatever the old one was, and still a way back."""

from __future__ import annotations

import json

import pytest

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.cancel import CancelAssignment, cancel_assignment
from app.commands.run import run
from app.db import migrate, sql
from app.db.connections import connect
from app.db.migration_files import MigrationError, read
from app.db.pool import open_database
from app.domain.model import TicketId
from app.queries import migration
from tests.factories import DISPATCHER
from tests.migrations.day import a_day_of_work
from tests.migrations.shapes import ALIKE, ANA, SHAPES, fill
from tests.snapshots import SCHEMA_SQL, dump

LAST = read(sql.MIGRATIONS)[-1].version
CONTRACT = next(m for m in read(sql.MIGRATIONS) if m.on_request).version
TICKETS = "SELECT to_jsonb(t)::text FROM service_tickets t ORDER BY id"


async def rows(conn):
    """Every ticket as JSON, whose keys have no order."""
    return [json.loads(row[0]) for row in await conn.fetch(TICKETS)]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
async def test_every_shape_ends_in_one_schema(empty_database, shape):
    async with connect(empty_database) as conn:
        await fill(conn, shape)
        await migrate.up(conn, sql.MIGRATIONS, to=LAST)
        assert [line for line in await migration.report(conn) if not line.agrees] == []
    assert dump(empty_database) == SCHEMA_SQL.read_text(encoding="utf-8")


async def test_it_waits_until_it_is_asked_for(empty_database):
    async with connect(empty_database) as conn:
        await migrate.up(conn, sql.MIGRATIONS)
        status = await migrate.status(conn, sql.MIGRATIONS)
    assert [m.version for m in status.on_request] == [CONTRACT]
    assert status.problem is None


async def test_it_refuses_while_something_does_not_add_up(empty_database):
    async with connect(empty_database) as conn:
        await fill(conn, ALIKE)
        await migrate.up(conn, sql.MIGRATIONS)
        await conn.execute("DELETE FROM assignment_migration WHERE ticket_id = 'TICKET-2024-0002'")
        with pytest.raises(MigrationError, match="Tickets not taken over: 1, not 0"):
            await migrate.up(conn, sql.MIGRATIONS, to=CONTRACT)
        columns = await rows(conn)
    assert "assigned_engineer_id" in columns[0]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
async def test_the_way_back_from_it_brings_every_value_back(empty_database, shape):
    async with connect(empty_database) as conn:
        await fill(conn, shape)
        await migrate.up(conn, sql.MIGRATIONS)
        before, definitions = await rows(conn), await column_definitions(conn)
        await migrate.up(conn, sql.MIGRATIONS, to=CONTRACT)
        await migrate.down(conn, sql.MIGRATIONS, to=CONTRACT - 1)
        assert await rows(conn) == before
        assert await column_definitions(conn) == definitions
        await migrate.down(conn, sql.MIGRATIONS, to=0)
        assert await rows(conn) == before


async def test_what_was_done_after_it_is_in_the_old_columns_on_the_way_back(empty_database):
    async with connect(empty_database) as conn:
        cases = await fill(conn, ALIKE)
        await migrate.up(conn, sql.MIGRATIONS, to=LAST)
        async with open_database(empty_database, pool_size=2) as db:
            expected = await a_day_of_work(db, {case.says: ticket for ticket, case in cases.items()})
        await migrate.down(conn, sql.MIGRATIONS, to=CONTRACT - 1)
        found = {
            row["id"]: (row["assigned_engineer_id"] or None, row["assignment_tier"])
            for row in await rows(conn)
        }
    assert {ticket: found[ticket] for ticket in expected} == expected


async def test_the_old_application_is_followed_again_on_the_way_back(empty_database):
    async with connect(empty_database) as conn:
        await fill(conn, ALIKE)
        await migrate.up(conn, sql.MIGRATIONS, to=CONTRACT)
        await migrate.down(conn, sql.MIGRATIONS, to=CONTRACT - 1)
        await conn.execute(
            "UPDATE service_tickets SET assigned_engineer_id = $1, status = 'assigned'"
            " WHERE id = 'TICKET-2024-0001'",
            str(ANA),
        )
        held = await conn.fetchval(
            "SELECT engineer_id FROM current_ticket_assignments WHERE ticket_id = 'TICKET-2024-0001'"
        )
    assert held == ANA


async def test_tickets_that_came_after_it_are_taken_over_on_the_way_back(empty_database):
    async with connect(empty_database) as conn:
        await fill(conn, ALIKE)
        await migrate.up(conn, sql.MIGRATIONS, to=LAST)
        await conn.execute(
            "INSERT INTO service_tickets (id, ticket_number)"
            " VALUES ('held', 'held'), ('free', 'free'), ('gone', 'gone')"
        )
        async with open_database(empty_database, pool_size=1) as db:
            for ticket in ("held", "gone"):
                command = AssignTicket(ticket_id=TicketId(ticket), engineer_id=ANA, reason="A new ticket")
                given = await run(db, DISPATCHER, assign_ticket, command)
            await run(
                db, DISPATCHER, cancel_assignment, CancelAssignment(assignment_id=given.id, reason="Closed")
            )
        history = "SELECT to_jsonb(a)::text FROM engineer_assignments a ORDER BY 1"
        before = await conn.fetch(history)
        await migrate.down(conn, sql.MIGRATIONS, to=CONTRACT - 1)
        assert [line for line in await migration.report(conn) if not line.agrees] == []
        await migrate.down(conn, sql.MIGRATIONS, to=CONTRACT - 3)
        await migrate.up(conn, sql.MIGRATIONS, to=LAST)
        assert [line for line in await migration.report(conn) if not line.agrees] == []
        assert await conn.fetch(history) == before


async def column_definitions(conn):
    found = await conn.fetch(
        "SELECT attname, format_type(atttypid, atttypmod), pg_get_expr(adbin, adrelid), attnotnull,"
        " col_description(attrelid, attnum)"
        " FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
        " WHERE attrelid = 'service_tickets'::regclass AND attnum > 0 AND NOT attisdropped"
    )
    return {row[0]: tuple(row[1:]) for row in found}


async def test_it_still_adds_up_when_nothing_is_kept_for_the_way_back(empty_database):
    async with connect(empty_database) as conn:
        await fill(conn, ALIKE)
        await migrate.up(conn, sql.MIGRATIONS, to=LAST)
        await conn.execute("DROP SCHEMA legacy, baton CASCADE")
        await conn.execute("INSERT INTO service_tickets (id, ticket_number) VALUES ('new', 'new')")
        assert [line for line in await migration.report(conn) if not line.agrees] == []
