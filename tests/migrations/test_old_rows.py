"""Each old row ends as a correct row of the history, or aside with its values and the reason."""

from __future__ import annotations

import pytest

from app.db import migrate, sql
from app.db.connections import connect
from app.db.migration_files import MigrationError
from app.domain.model import PartUsed
from app.queries import assignments, migration
from tests.migrations.shapes import ALIKE, ANA, ON_SITE, SHAPES, UUIDS, dump, fill, fingerprint

HISTORY = """
SELECT status, engineer_id FROM baton.engineer_assignments
WHERE ticket_id = $1 ORDER BY assignment_sequence"""


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
async def test_every_bad_row_is_accounted_for(empty_database, shape):
    async with connect(empty_database) as conn:
        cases = await fill(conn, shape)
        before = await fingerprint(conn)
        await migrate.up(conn, sql.MIGRATIONS)
        for ticket, case in cases.items():
            history = tuple(tuple(row) for row in await conn.fetch(HISTORY, ticket))
            issues = await conn.fetch(
                "SELECT reason FROM assignment_migration_issues WHERE ticket_id = $1 ORDER BY id", ticket
            )
            outcome = await conn.fetchval(
                "SELECT outcome FROM assignment_migration WHERE ticket_id = $1", ticket
            )
            spelled = tuple(
                (shape.statuses.get(status, status), engineer) for status, engineer in case.history
            )
            expected = tuple(
                ("in_progress" if status == "on_site" else status, engineer) for status, engineer in spelled
            )
            found = (outcome, history, tuple(reason for (reason,) in issues))
            assert (case.says, *found) == (case.says, case.outcome, expected, case.issues)
        assert await fingerprint(conn) == before
        report = await migration.report(conn)
        assert [line for line in report if not line.agrees] == []
        counted = {line.item.strip(): line.counted for line in report[:4]}
        assert counted["Tickets that named an engineer"] == sum(
            counted[outcome] for outcome in ("backfilled", "already there", "quarantined")
        )


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
async def test_who_holds_a_ticket_holds_it_at_the_tier_that_the_ticket_names(empty_database, shape):
    async with connect(empty_database) as conn:
        cases = await fill(conn, shape)
        await migrate.up(conn, sql.MIGRATIONS)
        held = await conn.fetch("SELECT * FROM current_ticket_assignments")
    found = {
        cases[row["ticket_id"]].says: (row["assignment_tier"], row["assignment_tier_name"]) for row in held
    }
    without = {"a null tier and time": (1, "Dealer"), "a tier of zero": (1, "Dealer")}
    nameless = {"two active rows, and the columns say nothing": (1, "OEM")}
    assert found == dict.fromkeys(found, (2, "Dealer")) | without | nameless


async def test_a_row_of_a_ticket_that_nobody_knows_is_set_aside_whole(empty_database):
    async with connect(empty_database) as conn:
        await fill(conn, UUIDS)
        await migrate.up(conn, sql.MIGRATIONS)
        [lost] = await conn.fetch(
            "SELECT raw->>'ticket_id', raw->>'engineer_id' FROM assignment_migration_issues"
            " WHERE reason = 'unknown ticket'"
        )
    assert tuple(lost) == ("00000000-0000-0000-0000-000000000001", str(ANA))


async def test_what_an_old_row_says_is_kept_and_what_it_does_not_say_is_not_invented(empty_database):
    async with connect(empty_database) as conn:
        cases = await fill(conn, ON_SITE)
        await migrate.up(conn, sql.MIGRATIONS)
        ticket = {case.says: ticket for ticket, case in cases.items()}
        await conn.execute("SET search_path = baton, public")
        [made] = await assignments.history_of_tickets(conn, [ticket["a null tier and time"]])
        [parts] = await assignments.history_of_tickets(
            conn, [ticket["parts that are no list, a rating of the old scale"]]
        )
        [closed] = await assignments.history_of_tickets(
            conn, [ticket["a resolved ticket with an active row"]]
        )
        origins = dict(await conn.fetch("SELECT id, origin FROM engineer_assignments"))
    assert (made.accepted_at, made.started_at, made.time_spent_hours) == (None, None, None)
    assert (made.assignment_tier, made.assignment_tier_name) == (1, "Dealer")
    assert (made.assignment_reason, made.assigned_by) == ("Initial (migrated)", "system:migration")
    assert made.assigned_at.isoformat() == "2024-01-01T00:00:00+00:00"
    assert [part.part_number for part in parts.parts_used] == ["7"]
    assert all(isinstance(part, PartUsed) for part in parts.parts_used)
    assert closed.notes == "Status was on_site"
    assert (origins[made.id], origins[parts.id]) == ("backfill", "legacy")


async def test_tables_that_are_none_of_the_shapes_are_refused_and_stay_as_they_are(empty_database):
    async with connect(empty_database) as conn:
        await fill(conn, ALIKE)
        await conn.execute("ALTER TABLE service_tickets DROP COLUMN assigned_engineer_name")
        with pytest.raises(MigrationError, match="no column assigned_engineer_name"):
            await migrate.up(conn, sql.MIGRATIONS)
        before = await fingerprint(conn)
        await migrate.down(conn, sql.MIGRATIONS, to=0)
        assert await fingerprint(conn) == before


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
async def test_there_and_back_leaves_both_tables_as_they_were(empty_database, shape):
    async with connect(empty_database) as conn:
        await fill(conn, shape)
        before = dump(empty_database), await fingerprint(conn)
        await migrate.up(conn, sql.MIGRATIONS)
        await migrate.down(conn, sql.MIGRATIONS, to=0)
        assert (dump(empty_database), await fingerprint(conn)) == before
