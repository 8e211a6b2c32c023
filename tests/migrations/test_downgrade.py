"""Up, a day of work, down, and up again: the old application finds its columns right, and nothing is lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

from app.commands.set_hourly_rate import SetHourlyRate, run_on_rates, set_hourly_rate
from app.db import migrate, sql
from app.db.connections import connect
from app.db.pool import open_database
from app.queries import migration
from tests.factories import ADMIN
from tests.migrations.day import a_day_of_work
from tests.migrations.shapes import ALIKE, ANA, BO, fill

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEPT = ("engineer_assignments", "assignment_events", "idempotency_keys")


async def everything(conn, schema):
    """The history with all that people typed, the events and the keys."""
    found = {}
    for table in KEPT:
        place = schema if table == "engineer_assignments" or schema == "baton_kept" else "public"
        found[table] = await conn.fetch(f"SELECT to_jsonb(x)::text FROM {place}.{table} x ORDER BY 1")
    return {table: [json.loads(row[0]) for row in rows] for table, rows in found.items()}


async def test_after_a_day_of_work_the_old_columns_are_right_and_up_again_brings_all_back(empty_database):
    async with connect(empty_database) as conn:
        cases = await fill(conn, ALIKE)
        await migrate.up(conn, sql.MIGRATIONS)
        async with open_database(empty_database, pool_size=2) as db:
            expected = await a_day_of_work(db, {case.says: ticket for ticket, case in cases.items()})
        evening = await everything(conn, "baton")
        await migrate.down(conn, sql.MIGRATIONS, to=0)

        found = await conn.fetch(
            "SELECT id, nullif(assigned_engineer_id, ''), assignment_tier, assigned_engineer_name,"
            " assigned_at FROM service_tickets WHERE id = ANY ($1)",
            list(expected),
        )
        assert {row[0]: (row[1], row[2]) for row in found} == expected
        held = next(row for row in found if row[2] == 4)
        assert held["assigned_engineer_name"] == "Bo Berg"
        times = {
            (row["ticket_id"], row["assignment_sequence"]): row["assigned_at"]
            for row in evening["engineer_assignments"]
        }
        assert held["assigned_at"] == datetime.fromisoformat(times[held["id"], 2])
        assert await everything(conn, "baton_kept") == evening

        await migrate.up(conn, sql.MIGRATIONS)
        assert await everything(conn, "baton") == evening
        assert [line for line in await migration.report(conn) if not line.agrees] == []


async def test_what_the_old_application_did_meanwhile_joins_the_history(empty_database):
    async with connect(empty_database) as conn:
        cases = await fill(conn, ALIKE)
        ticket = {case.says: ticket for ticket, case in cases.items()}
        await migrate.up(conn, sql.MIGRATIONS)
        async with open_database(empty_database, pool_size=2) as db:
            await a_day_of_work(db, ticket)
        await migrate.down(conn, sql.MIGRATIONS, to=0)
        await conn.execute(
            "UPDATE service_tickets SET assigned_engineer_id = $2, assignment_tier = 5 WHERE id = $1",
            ticket["a ticket in progress"],
            str(ANA),
        )
        await conn.execute(
            "INSERT INTO engineer_assignments (ticket_id, engineer_id, status) VALUES ($1, $2, 'rejected')",
            ticket["nobody was ever asked"],
            BO,
        )
        await migrate.up(conn, sql.MIGRATIONS)
        history = [
            [
                tuple(row)
                for row in await conn.fetch(
                    "SELECT assignment_sequence, status, assignment_tier FROM baton.engineer_assignments"
                    " WHERE ticket_id = $1 ORDER BY 1",
                    ticket[says],
                )
            ]
            for says in ("a ticket in progress", "nobody was ever asked")
        ]
        report = await migration.report(conn)
    assert history == [
        [(1, "escalated", 2), (2, "escalated", 4), (3, "assigned", 5)],
        [(1, "escalated", 1), (2, "completed", 2), (3, "rejected", 1)],
    ]
    assert [line for line in report if not line.agrees] == []


async def test_rates_and_the_keys_that_set_them_come_back(empty_database):
    async with connect(empty_database) as conn:
        await fill(conn, ALIKE)
        await migrate.up(conn, sql.MIGRATIONS)
        gone = await conn.fetchval("INSERT INTO engineers (name) VALUES ('Cy Cole') RETURNING id")
        async with open_database(empty_database, pool_size=1) as db:
            for engineer in (ANA, gone):
                command = SetHourlyRate(engineer_id=engineer, hourly_rate=Decimal(95), valid_from=NOON)
                await run_on_rates(db, ADMIN, set_hourly_rate, command, idempotency_key=str(engineer))
        rate = "SELECT to_jsonb(r)::text FROM hourly_rates r WHERE engineer_id = $1"
        before = await conn.fetchval(rate, ANA)
        await migrate.down(conn, sql.MIGRATIONS, to=9)
        assert await conn.fetchval("SELECT to_regclass('public.hourly_rates')") is None
        await migrate.down(conn, sql.MIGRATIONS, to=0)
        await conn.execute("DELETE FROM engineers WHERE id = $1", gone)
        await migrate.up(conn, sql.MIGRATIONS)
        assert await conn.fetchval(rate, ANA) == before
        assert await conn.fetchval(rate, gone) is None
        async with open_database(empty_database, pool_size=1) as db:
            command = SetHourlyRate(engineer_id=ANA, hourly_rate=Decimal(95), valid_from=NOON)
            again = await run_on_rates(db, ADMIN, set_hourly_rate, command, idempotency_key=str(ANA))
            assert (again.hourly_rate, again.valid_from) == (Decimal(95), NOON)
        assert await conn.fetchval("SELECT count(*) FROM hourly_rates") == 1


async def test_limits_of_tiers_and_whose_people_the_engineers_are_come_back(empty_database):
    async with connect(empty_database) as conn:
        await fill(conn, ALIKE)
        await migrate.up(conn, sql.MIGRATIONS)
        gone = await conn.fetchval("INSERT INTO engineers (name) VALUES ('Cy Cole') RETURNING id")
        await conn.execute("UPDATE assignment_tiers SET accept_within = '30 minutes' WHERE tier = 2")
        await conn.executemany("INSERT INTO engineer_tiers VALUES (2, $1)", [(ANA,), (gone,)])
        await migrate.down(conn, sql.MIGRATIONS, to=0)
        await conn.execute("DELETE FROM engineers WHERE id = $1", gone)
        await migrate.up(conn, sql.MIGRATIONS)
        assert await conn.fetchval("SELECT tier FROM assignment_tiers WHERE accept_within IS NOT NULL") == 2
        assert [tuple(row) for row in await conn.fetch("SELECT tier, engineer_id FROM engineer_tiers")] == [
            (2, ANA)
        ]
