"""Databases in which moving the assignments out of the tickets was begun, and stopped at any statement."""

from dataclasses import replace

import asyncpg
import pytest

from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.run import run
from app.db import migrate, sql
from app.db.migration_files import read
from app.db.pool import open_database
from tests.factories import DISPATCHER
from tests.migrations.catalog import definitions
from tests.migrations.shapes import ANA, BO, DOCUMENTED, UUIDS, fingerprint, mismatches

LAST = read(sql.MIGRATIONS)[-1].version
# Tickets name engineers as text, and the old assignments have uuids: then all statements succeed.
MIXED = replace(
    UUIDS,
    name="ids of two types",
    ddl=UUIDS.ddl.replace("assigned_engineer_id uuid,", "assigned_engineer_id varchar(64) DEFAULT '',"),
)
STATEMENTS = (
    """ALTER TABLE engineer_assignments
    ADD COLUMN IF NOT EXISTS assignment_sequence INT DEFAULT 1,
    ADD COLUMN IF NOT EXISTS assignment_reason TEXT,
    ADD COLUMN IF NOT EXISTS rejection_reason TEXT, ADD COLUMN IF NOT EXISTS escalation_reason TEXT,
    ADD COLUMN IF NOT EXISTS completion_status TEXT, ADD COLUMN IF NOT EXISTS time_spent_hours NUMERIC(5,2),
    ADD COLUMN IF NOT EXISTS notes TEXT""",
    """ALTER TABLE engineer_assignments ADD CONSTRAINT chk_completion_status CHECK (completion_status IN (
    'success', 'failed', 'escalated', 'parts_required', 'customer_unavailable'))""",
    """CREATE INDEX IF NOT EXISTS idx_ea_current_assignment
    ON engineer_assignments(ticket_id, assigned_at DESC)
    WHERE status NOT IN ('completed', 'rejected', 'failed')""",
    """CREATE OR REPLACE VIEW current_ticket_assignments AS
    SELECT DISTINCT ON (ticket_id) ticket_id, engineer_id, assignment_sequence, assignment_tier, status,
        assigned_at, completed_at
    FROM engineer_assignments WHERE status NOT IN ('completed', 'rejected', 'failed')
    ORDER BY ticket_id, assigned_at DESC""",
    """INSERT INTO engineer_assignments (id, ticket_id, engineer_id, assignment_sequence, assignment_tier,
        assignment_type, status, assigned_at, accepted_at, started_at, completed_at, created_at, updated_at)
    SELECT gen_random_uuid(), st.id::uuid, st.assigned_engineer_id::uuid, 1, st.assignment_tier, 'manual',
        CASE WHEN st.status IN ('resolved', 'closed') THEN 'completed'
            WHEN st.status IN ('assigned', 'in_progress') THEN 'in_progress' ELSE 'assigned' END,
        st.assigned_at, st.assigned_at, st.started_at, st.resolved_at, st.created_at, st.updated_at
    FROM service_tickets st
    WHERE st.assigned_engineer_id IS NOT NULL AND st.assigned_engineer_id != '' AND NOT EXISTS (
        SELECT 1 FROM engineer_assignments ea
        WHERE ea.ticket_id::text = st.id AND ea.engineer_id::text = st.assigned_engineer_id)""",
    "COMMENT ON TABLE engineer_assignments IS 'Complete assignment history for service tickets.'",
    "COMMENT ON COLUMN service_tickets.assigned_engineer_id IS 'DEPRECATED: Use engineer_assignments table.'",
)
VIEW = "SELECT pg_get_viewdef(to_regclass('public.current_ticket_assignments'))"
ACTIVE = """
SELECT engineer_id FROM engineer_assignments
WHERE ticket_id = $1 AND status IN ('assigned', 'accepted', 'in_progress')"""


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        *(pytest.param(MIXED, count, marks=pytest.mark.soak) for count in range(1, len(STATEMENTS))),
        (MIXED, len(STATEMENTS)),
        (DOCUMENTED, len(STATEMENTS)),
    ],
    ids=lambda value: getattr(value, "name", value),
)
async def test_a_refactoring_that_stopped_half_way_is_migrated_and_restored(legacy_database, shape, count):
    legacy = await legacy_database(shape, to=0)
    conn = legacy.conn
    if shape is MIXED:
        await conn.execute("DELETE FROM service_tickets WHERE id !~ '-'")
    for statement in STATEMENTS[:count]:
        try:
            await conn.execute(statement)
        except asyncpg.PostgresError:
            assert shape is DOCUMENTED
    before = definitions(legacy.url), await fingerprint(conn), await conn.fetchval(VIEW)
    await migrate.up(conn, sql.MIGRATIONS)
    assert await mismatches(conn) == []
    assert await conn.fetchval(VIEW) == before[2]
    await migrate.down(conn, sql.MIGRATIONS, to=0)
    assert (definitions(legacy.url), await fingerprint(conn), await conn.fetchval(VIEW)) == before

    await migrate.up(conn, sql.MIGRATIONS, to=LAST)
    assert await mismatches(conn) == []
    assert "engineer_name" in await conn.fetchval(VIEW)
    assert [row[0] for row in await conn.fetch(ACTIVE, legacy.tickets["a ticket in progress"])] == [ANA]
    await migrate.down(conn, sql.MIGRATIONS, to=0)
    assert await conn.fetchval(VIEW) == before[2]


RECORD = """
CREATE FUNCTION record() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.assigned_engineer_id IS DISTINCT FROM OLD.assigned_engineer_id THEN
        UPDATE engineer_assignments SET status = 'completed', completed_at = now(), updated_at = now()
        WHERE ticket_id = NEW.id AND status = 'assigned';
        IF NEW.assigned_engineer_id <> '' THEN
            INSERT INTO engineer_assignments (ticket_id, engineer_id)
            VALUES (NEW.id, NEW.assigned_engineer_id::uuid);
        END IF;
    END IF;
    RETURN NEW;
END $$"""
TRIGGERS = {
    "before": "CREATE TRIGGER a BEFORE UPDATE ON service_tickets FOR EACH ROW EXECUTE FUNCTION record()",
    "after, first": "CREATE TRIGGER a AFTER UPDATE ON service_tickets FOR EACH ROW EXECUTE FUNCTION record()",
    "after, last": "CREATE TRIGGER z AFTER UPDATE ON service_tickets FOR EACH ROW EXECUTE FUNCTION record()",
}
ENGINEERS = """
SELECT engineer_id FROM baton.engineer_assignments WHERE ticket_id = $1 ORDER BY assignment_sequence"""
ASSIGN = """
UPDATE service_tickets SET assigned_engineer_id = $2, assignment_tier = 2, status = 'assigned'
WHERE id = $1"""


@pytest.mark.parametrize("trigger", TRIGGERS)
async def test_a_history_that_a_trigger_keeps_makes_no_second_assignment(legacy_database, trigger):
    legacy = await legacy_database(DOCUMENTED, to=0)
    conn, ticket = legacy.conn, legacy.tickets["never assigned"]
    await conn.execute(f"{RECORD}; {TRIGGERS[trigger]}")
    engineers = []

    async def check(engineer):
        engineers.append(engineer)
        assert [row[0] for row in await conn.fetch(ENGINEERS, ticket)] == engineers
        assert await mismatches(conn) == []

    await conn.execute(ASSIGN, ticket, str(ANA))
    await migrate.up(conn, sql.MIGRATIONS)
    await check(ANA)
    await conn.execute(ASSIGN, ticket, str(BO))
    await check(BO)
    async with open_database(legacy.url, pool_size=1) as db:
        for engineer, tier in ((ANA, 3), (BO, 4)):
            command = EscalateTicket(ticket_id=ticket, next_engineer_id=engineer, next_tier=tier, reason="x")
            await run(db, DISPATCHER, escalate_ticket, command)
            await check(engineer)
    await conn.execute(ASSIGN, ticket, str(ANA))
    await check(ANA)
    await migrate.down(conn, sql.MIGRATIONS, to=0)
    await migrate.up(conn, sql.MIGRATIONS)
    assert [row[0] for row in await conn.fetch(ENGINEERS, ticket)] == engineers
    assert await mismatches(conn) == []
