"""Old columns that cannot hold what the new application wrote: commands and `down` say so first."""

import json

import pytest

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.cancel import CancelAssignment, cancel_assignment
from app.commands.run import run
from app.db import migrate, sql
from app.db.migration_files import MigrationError, read
from app.db.pool import open_database
from app.domain.errors import TicketChangeRejected
from app.domain.model import TicketId
from app.queries import assignments
from tests.factories import DISPATCHER
from tests.migrations.shapes import ANA, BO, DOCUMENTED, UUIDS, fingerprint, mismatches

LAST = read(sql.MIGRATIONS)[-1].version
CONTRACT = next(m for m in read(sql.MIGRATIONS) if m.on_request).version
COLUMNS = """
SELECT assigned_engineer_id::text, assigned_engineer_name, assignment_tier
FROM service_tickets WHERE id = $1"""
ADD = "ALTER TABLE service_tickets ADD CONSTRAINT"

REJECTING = {
    "a short name": (
        (
            "ALTER TABLE service_tickets ALTER assigned_engineer_name TYPE varchar(20)",
            "UPDATE engineers SET name = 'Bo Berg of the northern region' WHERE name = 'Bo Berg'",
        ),
        "value too long for type character varying(20)",
        (str(BO), "", 3),
    ),
    "a tier that must be known": (
        (
            "UPDATE service_tickets SET assignment_tier = 1 WHERE coalesce(assignment_tier, 0) < 1",
            "CREATE TABLE tiers (id int PRIMARY KEY); INSERT INTO tiers VALUES (1), (2)",
            f"{ADD} known FOREIGN KEY (assignment_tier) REFERENCES tiers (id)",
        ),
        'violates foreign key constraint "known"',
        ("", "", None),
    ),
    "a check of several columns": (
        (f"{ADD} low CHECK (status = 'new' OR assignment_tier < 3)",),
        'violates check constraint "low"',
        ("", "", None),
    ),
    "a unique column": (
        (
            "UPDATE service_tickets SET assignment_tier_name = id",
            "UPDATE service_tickets SET assignment_tier_name = 'Distributor' WHERE id = 'TICKET-2024-0002'",
            f"{ADD} one_name UNIQUE (assignment_tier_name)",
        ),
        'violates unique constraint "one_name"',
        ("", "", None),
    ),
}


async def assign(legacy, case):
    """Assign a ticket without an engineer at tier 3."""
    async with open_database(legacy.url, pool_size=1) as db:
        command = AssignTicket(ticket_id=legacy.tickets[case], engineer_id=BO, tier=3)
        await run(db, DISPATCHER, assign_ticket, command)


@pytest.mark.parametrize("case", REJECTING)
async def test_what_does_not_fit_is_refused_before_any_change_or_set_aside(legacy_database, case):
    statements, reason, written = REJECTING[case]
    legacy = await legacy_database(DOCUMENTED, to=0)
    conn = legacy.conn
    await conn.execute("; ".join(statements))
    ticket = legacy.tickets["a null engineer"]
    await migrate.up(conn, sql.MIGRATIONS)

    before = await fingerprint(conn)
    with pytest.raises(TicketChangeRejected) as refused:
        await assign(legacy, "a null engineer")
    assert reason in refused.value.reason
    assert await fingerprint(conn) == before

    await migrate.up(conn, sql.MIGRATIONS, to=LAST)
    await assign(legacy, "a null engineer")
    for dry_run in (True, False):
        with pytest.raises(MigrationError) as stopped:
            await migrate.down(conn, sql.MIGRATIONS, to=CONTRACT - 1, dry_run=dry_run)
        assert f"the values of 1 tickets do not fit into the old columns ({ticket}: " in str(stopped.value)
        assert reason in str(stopped.value)
    assert (await migrate.status(conn, sql.MIGRATIONS)).applied[-1].version == LAST

    await migrate.down(conn, sql.MIGRATIONS, to=CONTRACT - 1, set_aside=True)
    assert tuple(await conn.fetchrow(COLUMNS, ticket)) == written
    assert await mismatches(conn) == []
    await migrate.down(conn, sql.MIGRATIONS, to=0)
    wanted, recorded = await conn.fetchrow("SELECT wanted, reason FROM baton_kept.set_aside_columns")
    assert json.loads(wanted)["assigned_engineer_id"] == str(BO)
    assert reason in recorded
    await migrate.up(conn, sql.MIGRATIONS)
    current = "SELECT engineer_id, assignment_tier FROM baton.current_ticket_assignments WHERE ticket_id = $1"
    assert tuple(await conn.fetchrow(current, ticket)) == (BO, 3)


@pytest.mark.parametrize("shape", [DOCUMENTED, UUIDS], ids=lambda s: s.name)
async def test_columns_that_must_not_be_null_are_restored(legacy_database, shape):
    """Without a default; the engineer of an unassigned ticket is empty text, and its tier stays."""
    legacy = await legacy_database(shape, load=False, to=0)
    conn, columns = legacy.conn, ["assigned_engineer_name", "assignment_tier", "assigned_at"]
    columns += ["assigned_engineer_id"] if shape is DOCUMENTED else []
    changes = ", ".join(f"ALTER {column} DROP DEFAULT, ALTER {column} SET NOT NULL" for column in columns)
    await conn.execute(f"ALTER TABLE service_tickets {changes}")
    await conn.execute(
        "INSERT INTO service_tickets (id, ticket_number, status, assigned_engineer_id,"
        f" assigned_engineer_name, assignment_tier, assigned_at)"
        f" VALUES ('T', 'T', 'assigned', '{ANA}', 'Ana', 2, now())"
    )
    await migrate.up(conn, sql.MIGRATIONS)
    async with open_database(legacy.url, pool_size=1) as db:
        async with db.connection() as reader:
            [current] = await assignments.current_of_tickets(reader, [TicketId("T")])
        cancel = CancelAssignment(assignment_id=current.id, reason="x")
        await run(db, DISPATCHER, cancel_assignment, cancel)
    engineer, name, tier = await conn.fetchrow(COLUMNS, "T")
    assert (engineer or "", name, tier) == ("", "", 2)
    await migrate.up(conn, sql.MIGRATIONS, to=LAST)
    await migrate.down(conn, sql.MIGRATIONS, to=0)
    engineer, name, tier = await conn.fetchrow(COLUMNS, "T")
    assert (engineer or "", name, tier) == ("", "", 2)
