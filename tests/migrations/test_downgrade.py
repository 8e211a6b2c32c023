"""Down after changes, and up again: the old columns are right, and nothing is lost."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from app.commands.add_note import AddNote, add_note
from app.commands.create_ticket import CreateTicket, create_ticket
from app.commands.hold_ticket import HoldTicket, hold_ticket
from app.commands.set_hourly_rate import SetHourlyRate, run_on_rates, set_hourly_rate
from app.db import migrate, sql
from app.db.migration_files import read
from app.db.pool import open_database
from tests.commands.world import World
from tests.factories import ADMIN
from tests.migrations.commands import run_commands
from tests.migrations.shapes import ANA, BO, DOCUMENTED, mismatches

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEPT = ("engineer_assignments", "assignment_events", "idempotency_keys")
BEFORE_BILLING = next(m.version for m in read(sql.MIGRATIONS) if m.name == "billing") - 1
BEFORE_TICKET_EVENTS = next(m.version for m in read(sql.MIGRATIONS) if m.name == "ticket_events") - 1


async def kept_rows(conn, schema):
    """All rows of the history, the events and the keys."""
    rows = {}
    for table in KEPT:
        source = schema if table == "engineer_assignments" or schema == "baton_kept" else "public"
        # The view of the old name has not the columns that events got later.
        columns = "to_jsonb(x) - '{source,changes,ticket_version}'::text[]"
        rows[table] = await conn.fetch(f"SELECT ({columns})::text FROM {source}.{table} x ORDER BY 1")
    return {table: [json.loads(row[0]) for row in of_table] for table, of_table in rows.items()}


async def test_down_writes_the_old_columns_and_up_restores_the_history(legacy_database):
    legacy = await legacy_database(DOCUMENTED)
    conn = legacy.conn
    expected = await run_commands(legacy)
    before = await kept_rows(conn, "baton")
    await migrate.down(conn, sql.MIGRATIONS, to=0)

    tickets = await conn.fetch(
        "SELECT id, nullif(assigned_engineer_id, ''), assignment_tier, assigned_engineer_name,"
        " assigned_at FROM service_tickets WHERE id = ANY ($1)",
        list(expected),
    )
    assert {row[0]: (row[1], row[2]) for row in tickets} == expected
    escalated = next(row for row in tickets if row[2] == 4)
    assert escalated["assigned_engineer_name"] == "Bo Berg"
    times = {
        (row["ticket_id"], row["assignment_sequence"]): row["assigned_at"]
        for row in before["engineer_assignments"]
    }
    assert escalated["assigned_at"] == datetime.fromisoformat(times[escalated["id"], 2])
    assert await kept_rows(conn, "baton_kept") == before

    await migrate.up(conn, sql.MIGRATIONS)
    assert await kept_rows(conn, "baton") == before
    assert await mismatches(conn) == []


async def test_changes_of_the_old_application_after_down_join_the_history(legacy_database):
    legacy = await legacy_database(DOCUMENTED)
    conn, in_progress, new = (
        legacy.conn,
        legacy.tickets["a ticket in progress"],
        legacy.tickets["never assigned"],
    )
    await run_commands(legacy)
    await migrate.down(conn, sql.MIGRATIONS, to=0)
    await conn.execute(
        "UPDATE service_tickets SET assigned_engineer_id = $2, assignment_tier = 5 WHERE id = $1",
        in_progress,
        str(ANA),
    )
    await conn.execute(
        "INSERT INTO engineer_assignments (ticket_id, engineer_id, status) VALUES ($1, $2, 'rejected')",
        new,
        BO,
    )
    await migrate.up(conn, sql.MIGRATIONS)

    async def history(ticket):
        rows = await conn.fetch(
            "SELECT assignment_sequence, status, assignment_tier FROM baton.engineer_assignments"
            " WHERE ticket_id = $1 ORDER BY 1",
            ticket,
        )
        return [tuple(row) for row in rows]

    assert await history(in_progress) == [(1, "escalated", 2), (2, "escalated", 4), (3, "assigned", 5)]
    assert await history(new) == [(1, "escalated", 1), (2, "completed", 2), (3, "rejected", 1)]
    assert await mismatches(conn) == []


async def test_hourly_rates_and_their_keys_are_restored(legacy_database):
    legacy = await legacy_database(DOCUMENTED)
    conn = legacy.conn
    deleted = await conn.fetchval("INSERT INTO engineers (name) VALUES ('Cy Cole') RETURNING id")

    async def set_rate(db, engineer):
        command = SetHourlyRate(engineer_id=engineer, hourly_rate=Decimal(95), valid_from=NOON)
        return await run_on_rates(db, ADMIN, set_hourly_rate, command, idempotency_key=str(engineer))

    async with open_database(legacy.url, pool_size=1) as db:
        await set_rate(db, ANA)
        await set_rate(db, deleted)
    rate = "SELECT to_jsonb(r)::text FROM hourly_rates r WHERE engineer_id = $1"
    before = await conn.fetchval(rate, ANA)
    await migrate.down(conn, sql.MIGRATIONS, to=BEFORE_BILLING)
    assert await conn.fetchval("SELECT to_regclass('public.hourly_rates')") is None
    await migrate.down(conn, sql.MIGRATIONS, to=0)
    await conn.execute("DELETE FROM engineers WHERE id = $1", deleted)
    await migrate.up(conn, sql.MIGRATIONS)
    assert await conn.fetchval(rate, ANA) == before
    assert await conn.fetchval(rate, deleted) is None
    async with open_database(legacy.url, pool_size=1) as db:
        repeated = await set_rate(db, ANA)
    assert (repeated.hourly_rate, repeated.valid_from) == (Decimal(95), NOON)
    assert await conn.fetchval("SELECT count(*) FROM hourly_rates") == 1


TICKET_TABLES = ("ticket_details", "ticket_notes", "ticket_external_ids", "ticket_events")


@pytest.mark.parametrize("to", [BEFORE_TICKET_EVENTS, 0])
async def test_what_only_the_new_tables_have_is_restored(legacy_database, to):
    legacy = await legacy_database(DOCUMENTED)
    conn = legacy.conn

    async def contents():
        columns = "to_jsonb(x) - '{recorded_at}'::text[]"
        statements = [f"SELECT ({columns})::text FROM public.{table} x ORDER BY 1" for table in TICKET_TABLES]
        return [[row[0] for row in await conn.fetch(statement)] for statement in statements]

    async with open_database(legacy.url, pool_size=1) as db:
        world = World(db)
        creation = CreateTicket(external_source="sap", external_id="1", contact_name="Di")
        ticket = (await world.run(create_ticket, creation, ADMIN)).ticket
        await world.run(add_note, AddNote(ticket_id=ticket.id, text="Ladder"), ADMIN)
        await world.run(hold_ticket, HoldTicket(ticket_id=ticket.id, reason="Parts"), ADMIN)
    before = await contents()
    assert all(before)
    await migrate.down(conn, sql.MIGRATIONS, to=to)
    assert await conn.fetchval("SELECT to_regclass('public.ticket_details')") is None
    assert await conn.fetchval("SELECT status FROM service_tickets WHERE id = $1", ticket.id) == "on_hold"
    await migrate.up(conn, sql.MIGRATIONS)
    assert await contents() == before
    async with open_database(legacy.url, pool_size=1) as db:
        again = await World(db).run(create_ticket, creation, ADMIN)
    assert (again.ticket.id, again.created) == (ticket.id, False)


async def test_tier_limits_and_engineer_tiers_are_restored(legacy_database):
    conn = (await legacy_database(DOCUMENTED)).conn
    deleted = await conn.fetchval("INSERT INTO engineers (name) VALUES ('Cy Cole') RETURNING id")
    await conn.execute("UPDATE assignment_tiers SET accept_within = '30 minutes' WHERE tier = 2")
    await conn.executemany("INSERT INTO engineer_tiers VALUES (2, $1)", [(ANA,), (deleted,)])
    await migrate.down(conn, sql.MIGRATIONS, to=0)
    await conn.execute("DELETE FROM engineers WHERE id = $1", deleted)
    await migrate.up(conn, sql.MIGRATIONS)
    assert await conn.fetchval("SELECT tier FROM assignment_tiers WHERE accept_within IS NOT NULL") == 2
    tiers = await conn.fetch("SELECT tier, engineer_id FROM engineer_tiers")
    assert [tuple(row) for row in tiers] == [(2, ANA)]
