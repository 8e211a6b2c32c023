"""What a customer has defined on the old columns: the contract keeps it for the down file, or is refused."""

import pytest

from app.commands.run import run
from app.commands.start import StartAssignment, start_assignment
from app.db import migrate, sql
from app.db.connections import connect
from app.db.migration_files import MigrationError, read
from app.db.pool import open_database
from app.queries import assignments
from tests.factories import DISPATCHER
from tests.migrations import catalog
from tests.migrations.commands import run_commands
from tests.migrations.conftest import as_role
from tests.migrations.shapes import DOCUMENTED, UUIDS
from tests.migrations.test_names import documented

CONTRACT = next(m for m in read(sql.MIGRATIONS) if m.on_request).version
LAST = read(sql.MIGRATIONS)[-1].version
T = "ALTER TABLE service_tickets"
RESTORED = f"""
{T} ALTER assigned_engineer_id SET STATISTICS 500, ALTER assignment_tier SET STATISTICS 0;
{T} ALTER assigned_engineer_name TYPE varchar(200) COLLATE "C";
{T} ALTER assigned_engineer_name SET STORAGE EXTERNAL, ALTER assignment_tier_name SET COMPRESSION pglz;
{T} ALTER assigned_engineer_id SET (n_distinct = -0.25, n_distinct_inherited = -0.5);
{T} ALTER assignment_tier SET DEFAULT (1 + length(current_schema)) % 1;
{T} ALTER assigned_engineer_name SET NOT NULL;
COMMENT ON COLUMN service_tickets.assigned_engineer_id IS 'ask "Bob''s" team';

CREATE INDEX by_engineer ON service_tickets (assigned_engineer_id);
CREATE INDEX "Partial %s" ON service_tickets (created_at DESC NULLS LAST) WHERE assigned_engineer_id <> '';
CREATE UNIQUE INDEX covering ON service_tickets (id) INCLUDE (assignment_tier);
CREATE INDEX by_expression ON service_tickets
    (lower(assigned_engineer_name) varchar_pattern_ops, (assignment_tier % 2)) WITH (fillfactor = 70);
ALTER INDEX by_expression ALTER COLUMN 1 SET STATISTICS 300;
ALTER INDEX by_expression ALTER COLUMN 2 SET STATISTICS 400;
CREATE INDEX by_hash ON service_tickets USING hash (assigned_engineer_id);
COMMENT ON INDEX by_engineer IS 'for the board';
{T} CLUSTER ON by_engineer;

{T} ADD CONSTRAINT "Tier is small" CHECK (assignment_tier < 100);
{T} ADD CONSTRAINT name_with_engineer
    CHECK (assigned_engineer_id = '' OR assigned_engineer_name <> '') NO INHERIT;
{T} ADD CONSTRAINT not_checked CHECK (assignment_tier > 1000) NOT VALID;
{T} ADD CONSTRAINT tier_once UNIQUE NULLS NOT DISTINCT (id, assignment_tier) INCLUDE (assignment_tier_name)
    DEFERRABLE INITIALLY DEFERRED;
{T} ADD CONSTRAINT one_at_a_time EXCLUDE USING btree (id WITH =, assigned_engineer_id WITH =);
CREATE TABLE tiers (tier int PRIMARY KEY); INSERT INTO tiers VALUES (0), (1), (2);
{T} ADD CONSTRAINT tier_exists FOREIGN KEY (assignment_tier) REFERENCES tiers (tier)
    ON DELETE SET NULL DEFERRABLE;
{T} ADD CONSTRAINT tier_exists_later FOREIGN KEY (assignment_tier) REFERENCES tiers (tier) NOT VALID;
COMMENT ON CONSTRAINT "Tier is small" ON service_tickets IS 'as agreed';

CREATE STATISTICS many (ndistinct, mcv) ON assigned_engineer_id, assignment_tier, status FROM service_tickets;
ALTER STATISTICS many SET STATISTICS 700;
COMMENT ON STATISTICS many IS 'for the board';
CREATE SCHEMA crm; CREATE STATISTICS crm.expressions ON (assignment_tier % 3), priority FROM service_tickets;
"""
GRANTS = """
GRANT SELECT (assigned_engineer_id, assignment_tier) ON service_tickets TO {role};
GRANT UPDATE (assigned_engineer_id) ON service_tickets TO {role} WITH GRANT OPTION;
GRANT SELECT (assigned_engineer_name) ON service_tickets TO PUBLIC;
GRANT SELECT (id) ON service_tickets TO {role}"""
STAMP = """
{0} ADD version int NOT NULL DEFAULT 1; CREATE TABLE audit (id text);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    NEW.updated_at := clock_timestamp(); NEW.version := OLD.version + 1; RETURN NEW; END $$;
CREATE TRIGGER stamp BEFORE UPDATE ON service_tickets FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO audit VALUES (NEW.id); RETURN NULL; END $$;
CREATE TRIGGER note AFTER UPDATE ON service_tickets FOR EACH ROW EXECUTE FUNCTION note();
""".replace("{0}", T)


async def test_what_stands_on_the_columns_is_restored_word_for_word(role, legacy_database):
    legacy = await legacy_database(DOCUMENTED, to=0)
    await legacy.conn.execute("UPDATE service_tickets SET assignment_tier = 2 WHERE assignment_tier IS NULL")
    await legacy.conn.execute(RESTORED + GRANTS.format(role=role))
    legacy_definitions, legacy_rows = catalog.definitions(legacy.url), await catalog.rows(legacy.conn)
    await migrate.up(legacy.conn, sql.MIGRATIONS, to=CONTRACT - 1)
    before = catalog.definitions(legacy.url)
    await migrate.up(legacy.conn, sql.MIGRATIONS, to=CONTRACT)
    await migrate.down(legacy.conn, sql.MIGRATIONS, to=CONTRACT - 1)
    assert catalog.definitions(legacy.url) == before
    await migrate.down(legacy.conn, sql.MIGRATIONS, to=0)
    assert catalog.definitions(legacy.url) == legacy_definitions
    assert await catalog.rows(legacy.conn) == legacy_rows


PREVENTS = {
    "grant of SELECT by {role} on column assignment_tier":
        "GRANT SELECT (assignment_tier) ON service_tickets TO {role} WITH GRANT OPTION; SET ROLE {role};"
        "GRANT SELECT (assignment_tier) ON service_tickets TO PUBLIC; RESET ROLE",
    "column doubled of table service_tickets":
        f"{T} ADD doubled int GENERATED ALWAYS AS (assignment_tier * 2) STORED",
    "constraint of_ticket on table visits":
        f"{T} ADD CONSTRAINT pair UNIQUE (id, assignment_tier); CREATE TABLE visits (id text, tier int,"
        " CONSTRAINT of_ticket FOREIGN KEY (id, tier) REFERENCES service_tickets (id, assignment_tier))",
    "function tier_of(text)":
        "CREATE FUNCTION tier_of(t text) RETURNS int LANGUAGE sql BEGIN ATOMIC"
        " SELECT assignment_tier FROM service_tickets WHERE id = t; END",
    "index of_replicas":
        "UPDATE service_tickets SET assigned_engineer_id = '' WHERE assigned_engineer_id IS NULL;"
        f"{T} ALTER assigned_engineer_id SET NOT NULL; CREATE UNIQUE INDEX of_replicas ON service_tickets"
        f" (id, assigned_engineer_id); {T} REPLICA IDENTITY USING INDEX of_replicas",
    "materialized view board": "CREATE MATERIALIZED VIEW board AS SELECT * FROM service_tickets",
    "policy own on table equipment":
        "CREATE POLICY own ON equipment USING (id IN (SELECT equipment_id FROM service_tickets"
        " WHERE assigned_engineer_id = current_user))",
    "policy own on table service_tickets":
        "CREATE POLICY own ON service_tickets USING (assigned_engineer_id = current_user)",
    "publication of table service_tickets in publication {role}":
        "CREATE PUBLICATION {role} FOR TABLE service_tickets (id, assignment_tier)",
    "sequence tiers": "CREATE SEQUENCE tiers OWNED BY service_tickets.assignment_tier",
    "trigger names on service_tickets, by the text of its function":
        "CREATE FUNCTION names() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO audit VALUES (NEW.assigned_engineer_id); RETURN NULL; END $$;"
        "CREATE TRIGGER names AFTER UPDATE ON service_tickets FOR EACH ROW EXECUTE FUNCTION names()",
    "trigger of_column on table service_tickets":
        "CREATE TRIGGER of_column BEFORE UPDATE OF assignment_tier ON service_tickets"
        " FOR EACH ROW EXECUTE FUNCTION stamp()",
    "trigger with_condition on table service_tickets":
        "CREATE TRIGGER with_condition BEFORE UPDATE ON service_tickets"
        " FOR EACH ROW WHEN (NEW.assigned_engineer_name <> '') EXECUTE FUNCTION stamp()",
    "view open_work": "CREATE VIEW open_work AS SELECT id, assigned_engineer_id FROM service_tickets",
}  # fmt: skip


async def test_what_cannot_be_restored_is_named_before_any_change(legacy_database, role):
    legacy = await legacy_database(DOCUMENTED, to=CONTRACT - 1)
    for statement in [STAMP, *PREVENTS.values()]:
        await legacy.conn.execute(statement.replace("{role}", role))
    before = catalog.definitions(legacy.url)
    with pytest.raises(MigrationError) as refused:
        await migrate.up(legacy.conn, sql.MIGRATIONS, to=CONTRACT)
    _, _, named = str(refused.value).replace("public.", "").partition("stay, because these use them: ")
    assert named.startswith(", ".join(PREVENTS).replace("{role}", role) + ". Drop these,")
    assert catalog.definitions(legacy.url) == before


async def test_down_continues_when_a_value_fits_again(legacy_database):
    legacy = await legacy_database(DOCUMENTED, to=CONTRACT - 1)
    conn = legacy.conn
    await conn.execute(
        "CREATE UNIQUE INDEX one_of_tier ON service_tickets (customer_name, assignment_tier);"
        f"{T} ADD CONSTRAINT none_on_hold CHECK (assignment_tier IS NULL OR customer_name <> 'on hold')"
    )
    before = catalog.definitions(legacy.url)
    await migrate.up(conn, sql.MIGRATIONS, to=CONTRACT)
    for value, refused in (("twice", "one_of_tier"), ("on hold", "none_on_hold")):
        await conn.execute(
            "UPDATE service_tickets SET customer_name = $1 WHERE id = ANY ($2)",
            value,
            [legacy.tickets["on hold"], legacy.tickets["cancelled"]][: 2 if value == "twice" else 1],
        )
        with pytest.raises(MigrationError, match=refused):
            await migrate.down(conn, sql.MIGRATIONS)
        await conn.execute("UPDATE service_tickets SET customer_name = NULL")
    await migrate.down(conn, sql.MIGRATIONS)
    assert catalog.definitions(legacy.url) == before


async def test_down_is_safe_to_run_twice(legacy_database):
    """The migrator may be killed before it records the end."""
    legacy = await legacy_database(DOCUMENTED, to=CONTRACT)
    conn = legacy.conn
    await conn.execute("CREATE TABLE copy AS SELECT * FROM baton_migrations WHERE version = 6")
    await migrate.down(conn, sql.MIGRATIONS)
    before, rows = catalog.definitions(legacy.url), await catalog.rows(conn)
    await conn.execute("INSERT INTO baton_migrations SELECT * FROM copy")
    await migrate.down(conn, sql.MIGRATIONS)
    assert (catalog.definitions(legacy.url), await catalog.rows(conn)) == (before, rows)


async def test_down_is_refused_if_the_old_values_were_deleted(legacy_database):
    legacy = await legacy_database(DOCUMENTED, to=CONTRACT)
    await legacy.conn.execute(documented("baton_legacy"))
    before = catalog.definitions(legacy.url)
    with pytest.raises(MigrationError, match="were deleted for good"):
        await migrate.down(legacy.conn, sql.MIGRATIONS)
    assert catalog.definitions(legacy.url) == before


OLD_COLUMNS = """
SELECT t.id, btrim(lower(t.assigned_engineer_id)), t.assigned_engineer_name,
    t.assignment_tier, t.assignment_tier_name,
    t.assigned_at = '2024-01-20 08:00+00' AS as_typed, t.assigned_at = c.assigned_at AS of_last_assignment
FROM service_tickets t JOIN service_tickets_compat c ON c.id = t.id ORDER BY t.id"""


async def test_work_after_the_contract_leaves_the_old_columns_as_dual_write_does(legacy_database):
    """With the time of the last assignment; as it was typed where only the status has changed."""
    states = []
    for version in (None, LAST):
        legacy = await legacy_database(DOCUMENTED, to=version)
        await run_commands(legacy)
        async with open_database(legacy.url, pool_size=1) as db, db.connection() as conn:
            [current] = await assignments.current_of_tickets(conn, [legacy.tickets["upper case"]])
        async with open_database(legacy.url, pool_size=1) as db:
            await run(db, DISPATCHER, start_assignment, StartAssignment(assignment_id=current.id))
        await migrate.down(legacy.conn, sql.MIGRATIONS, to=CONTRACT - 1)
        states.append([tuple(row) for row in await legacy.conn.fetch(OLD_COLUMNS)])
    side_by_side, after_contract = states
    assert after_contract == side_by_side
    by_case = {name: row for row in after_contract for name, id_ in legacy.tickets.items() if id_ == row[0]}
    assert by_case["upper case"][2:] == ("As it was typed", 2, "Dealer", True, False)
    assert by_case["a ticket in progress"][2:] == ("Bo Berg", 4, "Service provider", False, True)


async def test_triggers_of_the_customer_do_not_fire_for_restored_columns(legacy_database):
    legacy = await legacy_database(UUIDS, to=0)
    await legacy.conn.execute(STAMP)
    before = await catalog.rows(legacy.conn)
    await migrate.up(legacy.conn, sql.MIGRATIONS, to=LAST)
    await migrate.down(legacy.conn, sql.MIGRATIONS, to=0)
    assert await catalog.rows(legacy.conn) == before
    await legacy.conn.execute("UPDATE service_tickets SET status = status")
    assert await legacy.conn.fetchval("SELECT count(*) FROM audit") == len(legacy.tickets)


@pytest.mark.parametrize(
    ("setup", "named"),
    [
        (STAMP + f"{T} ENABLE ALWAYS TRIGGER note", r"trigger note \(ENABLE ALWAYS\) of"),
        (STAMP + f"{T} ENABLE REPLICA TRIGGER note", r"trigger note \(ENABLE REPLICA\) of"),
        (
            f"CREATE RULE also AS ON UPDATE TO service_tickets DO ALSO SELECT 1; {T} ENABLE ALWAYS RULE also",
            r"rule also \(ENABLE ALWAYS\) of",
        ),
    ],
)
async def test_down_is_refused_if_something_fires_always(legacy_database, setup, named):
    legacy = await legacy_database(DOCUMENTED, to=CONTRACT)
    await legacy.conn.execute(setup)
    before = catalog.definitions(legacy.url)
    with pytest.raises(MigrationError, match=f"{named} service_tickets. Enable it with"):
        await migrate.down(legacy.conn, sql.MIGRATIONS)
    assert catalog.definitions(legacy.url) == before


async def test_an_ordinary_role_needs_a_parameter_to_go_back_without_firing_triggers(owned):
    legacy, role = owned
    async with connect(as_role(legacy.url, role)) as conn:
        await migrate.up(conn, sql.MIGRATIONS, to=CONTRACT)
        await migrate.down(conn, sql.MIGRATIONS)  # without triggers it needs nothing
        await migrate.up(conn, sql.MIGRATIONS, to=CONTRACT)
        await conn.execute(STAMP)
        before, rows = catalog.definitions(legacy.url), await catalog.rows(legacy.conn)
        advice = f"GRANT SET ON PARAMETER session_replication_role TO {role}"
        with pytest.raises(MigrationError, match=f"fire trigger note, trigger stamp of .* {advice}"):
            await migrate.down(conn, sql.MIGRATIONS)
        assert catalog.definitions(legacy.url) == before
        await legacy.conn.execute(advice)
        await migrate.down(conn, sql.MIGRATIONS)
        versions = await conn.fetch("SELECT DISTINCT version FROM service_tickets")
        assert [tuple(row) for row in versions] == [(1,)]
        assert (await catalog.rows(legacy.conn))["audit"] == rows["audit"]
        await legacy.conn.execute(f"REVOKE SET ON PARAMETER session_replication_role FROM {role}")
