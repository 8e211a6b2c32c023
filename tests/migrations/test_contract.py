"""The contract: drops the legacy tables' columns, gives one schema for every shape, and can be undone."""

import json

import pytest

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.cancel import CancelAssignment, cancel_assignment
from app.commands.run import run
from app.db import migrate, sql
from app.db.migration_files import MigrationError, read
from app.db.pool import open_database
from app.domain.model import TicketId
from tests.factories import DISPATCHER
from tests.migrations.commands import run_commands
from tests.migrations.shapes import ANA, DOCUMENTED, SHAPES, mismatches
from tests.snapshots import SCHEMA_SQL, dump

LAST = read(sql.MIGRATIONS)[-1].version
CONTRACT = next(m for m in read(sql.MIGRATIONS) if m.on_request).version
EVENTS = next(m for m in read(sql.MIGRATIONS) if m.name == "ticket_events").version
TICKETS = "SELECT to_jsonb(t)::text FROM service_tickets t ORDER BY id"


async def tickets(conn):
    """All tickets as JSON, so that the order of columns does not matter."""
    return [json.loads(row[0]) for row in await conn.fetch(TICKETS)]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
async def test_every_shape_ends_in_the_same_schema(legacy_database, shape):
    legacy = await legacy_database(shape, to=LAST)
    assert await mismatches(legacy.conn) == []
    assert dump(legacy.url) == SCHEMA_SQL.read_text(encoding="utf-8")


async def test_the_contract_runs_on_request_only(legacy_database):
    legacy = await legacy_database(DOCUMENTED)
    status = await migrate.status(legacy.conn, sql.MIGRATIONS)
    assert [m.version for m in status.on_request] == [CONTRACT]
    assert status.problem is None


async def test_the_contract_is_refused_while_counts_differ(legacy_database):
    conn = (await legacy_database(DOCUMENTED)).conn
    await conn.execute("DELETE FROM assignment_migration WHERE ticket_id = 'TICKET-2024-0002'")
    with pytest.raises(MigrationError, match="Tickets not migrated: 1, not 0"):
        await migrate.up(conn, sql.MIGRATIONS, to=CONTRACT)
    assert "assigned_engineer_id" in (await tickets(conn))[0]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
async def test_down_restores_every_value(legacy_database, shape):
    conn = (await legacy_database(shape)).conn
    before = await tickets(conn)
    await migrate.up(conn, sql.MIGRATIONS, to=CONTRACT)
    await migrate.down(conn, sql.MIGRATIONS, to=CONTRACT - 1)
    assert await tickets(conn) == before
    await migrate.down(conn, sql.MIGRATIONS, to=0)
    assert await tickets(conn) == before


async def test_down_writes_later_changes_to_the_old_columns(legacy_database):
    legacy = await legacy_database(DOCUMENTED, to=LAST)
    expected = await run_commands(legacy)
    await migrate.down(legacy.conn, sql.MIGRATIONS, to=CONTRACT - 1)
    columns = {
        row["id"]: (row["assigned_engineer_id"] or None, row["assignment_tier"])
        for row in await tickets(legacy.conn)
    }
    assert {ticket: columns[ticket] for ticket in expected} == expected


async def test_down_restores_the_triggers_for_the_old_application(legacy_database):
    conn = (await legacy_database(DOCUMENTED)).conn
    await migrate.up(conn, sql.MIGRATIONS, to=CONTRACT)
    await migrate.down(conn, sql.MIGRATIONS, to=CONTRACT - 1)
    await conn.execute(
        "UPDATE service_tickets SET assigned_engineer_id = $1, status = 'assigned'"
        " WHERE id = 'TICKET-2024-0001'",
        str(ANA),
    )
    engineer = await conn.fetchval(
        "SELECT engineer_id FROM baton.current_ticket_assignments WHERE ticket_id = 'TICKET-2024-0001'"
    )
    assert engineer == ANA


async def test_down_migrates_tickets_created_after_the_contract(legacy_database):
    legacy = await legacy_database(DOCUMENTED, to=LAST)
    conn = legacy.conn
    await conn.execute(
        "INSERT INTO service_tickets (id, ticket_number)"
        " VALUES ('assigned', 'assigned'), ('new', 'new'), ('cancelled', 'cancelled')"
    )
    async with open_database(legacy.url, pool_size=1) as db:
        for ticket in ("assigned", "cancelled"):
            command = AssignTicket(ticket_id=TicketId(ticket), engineer_id=ANA, reason="A new ticket")
            assignment = await run(db, DISPATCHER, assign_ticket, command)
        cancel = CancelAssignment(assignment_id=assignment.id, reason="Closed")
        await run(db, DISPATCHER, cancel_assignment, cancel)
    history = "SELECT to_jsonb(a)::text FROM engineer_assignments a ORDER BY 1"
    before = await conn.fetch(history)
    await migrate.down(conn, sql.MIGRATIONS, to=CONTRACT - 1)
    assert await mismatches(conn) == []
    await migrate.down(conn, sql.MIGRATIONS, to=CONTRACT - 3)
    await migrate.up(conn, sql.MIGRATIONS, to=LAST)
    assert await mismatches(conn) == []
    assert await conn.fetch(history) == before


async def test_the_new_application_works_until_its_events_get_their_old_name(legacy_database):
    """The old one cannot: its columns have gone. The new one keeps its connections meanwhile."""
    legacy = await legacy_database(DOCUMENTED, to=LAST)
    ticket = legacy.tickets["never assigned"]
    async with open_database(legacy.url, pool_size=1) as db:
        for version in range(LAST, EVENTS - 1, -1):
            await migrate.down(legacy.conn, sql.MIGRATIONS, to=version)
            assign = AssignTicket(ticket_id=ticket, engineer_id=ANA)
            made = await run(db, DISPATCHER, assign_ticket, assign, idempotency_key=f"assign {version}")
            cancel = CancelAssignment(assignment_id=made.id, reason="mix-up")
            await run(db, DISPATCHER, cancel_assignment, cancel, idempotency_key=f"cancel {version}")
    assert await mismatches(legacy.conn) == []


async def test_the_report_is_right_after_the_kept_schemas_are_dropped(legacy_database):
    conn = (await legacy_database(DOCUMENTED, to=LAST)).conn
    await conn.execute("DROP SCHEMA baton_legacy, baton CASCADE")
    await conn.execute("INSERT INTO service_tickets (id, ticket_number) VALUES ('new', 'new')")
    assert await mismatches(conn) == []
