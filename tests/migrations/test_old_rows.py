"""Every old row is migrated to the history, or quarantined with its values and the reason."""

import pytest

from app.db import migrate, sql
from app.db.migration_files import MigrationError
from app.domain.model import PartUsed
from app.queries import assignments, migration
from tests.migrations import catalog
from tests.migrations.shapes import (
    ANA,
    DOCUMENTED,
    ON_SITE,
    SHAPES,
    UUIDS,
    cases_of,
    fingerprint,
    mismatches,
)

HISTORY = """
SELECT status, engineer_id FROM baton.engineer_assignments
WHERE ticket_id = $1 ORDER BY assignment_sequence"""
ISSUES = "SELECT reason FROM assignment_migration_issues WHERE ticket_id = $1 ORDER BY id"
OUTCOME = "SELECT outcome FROM assignment_migration WHERE ticket_id = $1"


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
async def test_every_row_is_migrated_or_quarantined(legacy_database, shape):
    conn = (await legacy_database(shape, to=0)).conn
    before = await fingerprint(conn)
    await migrate.up(conn, sql.MIGRATIONS)
    for ticket, case in cases_of(shape).items():
        in_shape = ((shape.statuses.get(status, status), engineer) for status, engineer in case.history)
        expected = [
            ("in_progress" if status == "on_site" else status, engineer) for status, engineer in in_shape
        ]
        history = [tuple(row) for row in await conn.fetch(HISTORY, ticket)]
        issues = tuple(reason for (reason,) in await conn.fetch(ISSUES, ticket))
        result = (await conn.fetchval(OUTCOME, ticket), history, issues)
        assert (case.name, *result) == (case.name, case.outcome, expected, case.issues)
    assert await fingerprint(conn) == before
    assert await mismatches(conn) == []
    counted = {line.item.strip(): line.counted for line in (await migration.report(conn))[:4]}
    assert counted["Tickets that named an engineer"] == sum(
        counted[outcome] for outcome in ("backfilled", "already there", "quarantined")
    )


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
async def test_the_current_assignment_has_the_tier_of_the_ticket(legacy_database, shape):
    legacy = await legacy_database(shape)
    names = {ticket: name for name, ticket in legacy.tickets.items()}
    rows = await legacy.conn.fetch("SELECT * FROM baton.current_ticket_assignments")
    tiers = {names[row["ticket_id"]]: (row["assignment_tier"], row["assignment_tier_name"]) for row in rows}
    without_tier = {"a null tier and time": (1, "Dealer"), "a tier of zero": (1, "Dealer")}
    without_engineer = {"two active rows, and no engineer in the columns": (1, "OEM")}
    assert tiers == dict.fromkeys(tiers, (2, "Dealer")) | without_tier | without_engineer


async def test_a_row_of_an_unknown_ticket_is_quarantined_with_its_values(legacy_database):
    conn = (await legacy_database(UUIDS)).conn
    [row] = await conn.fetch(
        "SELECT raw->>'ticket_id', raw->>'engineer_id' FROM assignment_migration_issues"
        " WHERE reason = 'unknown ticket'"
    )
    assert tuple(row) == ("00000000-0000-0000-0000-000000000001", str(ANA))


async def test_known_values_are_kept_and_unknown_ones_stay_null(legacy_database):
    legacy = await legacy_database(ON_SITE)
    conn = legacy.conn
    await conn.execute("SET search_path = baton, public")

    async def only_assignment(name):
        [assignment] = await assignments.history_of_tickets(conn, [legacy.tickets[name]])
        return assignment

    created = await only_assignment("a null tier and time")
    with_parts = await only_assignment("parts that are not a list")
    closed = await only_assignment("a resolved ticket with an active row")
    origins = dict(await conn.fetch("SELECT id, origin FROM engineer_assignments"))
    assert (created.accepted_at, created.started_at, created.time_spent_hours) == (None, None, None)
    assert (created.assignment_tier, created.assignment_tier_name) == (1, "Dealer")
    assert (created.assignment_reason, created.assigned_by) == ("Initial (migrated)", "system:migration")
    assert created.assigned_at.isoformat() == "2024-01-01T00:00:00+00:00"
    assert [part.part_number for part in with_parts.parts_used] == ["7"]
    assert all(isinstance(part, PartUsed) for part in with_parts.parts_used)
    assert closed.notes == "Status was on_site"
    assert (origins[created.id], origins[with_parts.id]) == ("backfill", "legacy")


async def test_an_unknown_shape_is_rejected_and_not_changed(legacy_database):
    conn = (await legacy_database(DOCUMENTED, to=0)).conn
    await conn.execute("ALTER TABLE service_tickets DROP COLUMN assigned_engineer_name")
    with pytest.raises(MigrationError, match="assigned_engineer_name does not exist"):
        await migrate.up(conn, sql.MIGRATIONS)
    before = await fingerprint(conn)
    await migrate.down(conn, sql.MIGRATIONS, to=0)
    assert await fingerprint(conn) == before


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
async def test_up_and_down_leave_both_tables_unchanged(legacy_database, shape):
    legacy = await legacy_database(shape, to=0)
    before = catalog.definitions(legacy.url), await catalog.rows(legacy.conn)
    await migrate.up(legacy.conn, sql.MIGRATIONS)
    await migrate.down(legacy.conn, sql.MIGRATIONS, to=0)
    assert (catalog.definitions(legacy.url), await catalog.rows(legacy.conn)) == before
