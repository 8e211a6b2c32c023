"""Policies of the customer that hide rows: no row is lost, and everybody who cannot see one says so."""

from uuid import uuid4

import pytest

from app import doctor
from app.db import migrate, names, sql
from app.db.connections import connect
from app.db.grants import grant
from app.db.migration_files import MigrationError, read
from app.queries import migration, server
from tests.migrations.conftest import as_role
from tests.migrations.shapes import OLD_TABLES, fingerprint, mismatches
from tests.migrations.test_names import dump

LAST = read(sql.MIGRATIONS)[-1].version
HIDE = (
    "ALTER TABLE {0} ENABLE ROW LEVEL SECURITY; ALTER TABLE {0} FORCE ROW LEVEL SECURITY;"
    "CREATE POLICY no_rows ON {0} USING (false)"
)


@pytest.mark.parametrize("table", OLD_TABLES)
async def test_up_is_refused_before_any_change_if_rows_are_hidden(owned, table):
    legacy, role = owned
    await legacy.conn.execute(HIDE.format(table))
    before = dump(legacy.url)
    async with connect(as_role(legacy.url, role)) as conn:
        with pytest.raises(
            MigrationError, match=rf"hides rows of {table} from the role {role}, .* BYPASSRLS"
        ):
            await migrate.up(conn, sql.MIGRATIONS)
    assert dump(legacy.url) == before


@pytest.mark.parametrize("table", [*OLD_TABLES, "baton.engineer_assignments", "assignment_migration"])
async def test_verify_contract_and_down_are_refused_if_rows_are_hidden(owned, table):
    legacy, role = owned
    async with connect(as_role(legacy.url, role)) as conn:
        await migrate.up(conn, sql.MIGRATIONS)
        await legacy.conn.execute(HIDE.format(table))
        before = await fingerprint(legacy.conn)
        for step in (
            migration.report(conn),
            migrate.up(conn, sql.MIGRATIONS, to=LAST),
            migrate.down(conn, sql.MIGRATIONS, to=0),
        ):
            with pytest.raises(MigrationError, match=f"hides rows of {table}"):
                await step
        assert await fingerprint(legacy.conn) == before
        assert await conn.fetchval("SHOW row_security") == "on"


async def test_a_policy_that_appears_during_a_migration_fails_it(owned, tmp_path):
    """Instead of filtering rows."""
    legacy, role = owned
    script = f"{HIDE.format('service_tickets')}; CREATE TABLE copies AS SELECT id FROM service_tickets;"
    (tmp_path / "0001_copy.up.sql").write_text(script)
    async with connect(as_role(legacy.url, role)) as conn:
        with pytest.raises(MigrationError, match="row-level security policy"):
            await migrate.up(conn, tmp_path)


@pytest.mark.parametrize("is_administrator", [True, False])
async def test_a_role_that_bypasses_policies_migrates_every_row(owned, is_administrator):
    legacy, role = owned
    for table in OLD_TABLES:
        await legacy.conn.execute(HIDE.format(table))
    before = await fingerprint(legacy.conn)
    await legacy.conn.execute(f"ALTER ROLE {role} BYPASSRLS")
    async with connect(legacy.url if is_administrator else as_role(legacy.url, role)) as conn:
        await migrate.up(conn, sql.MIGRATIONS)
        assert await conn.fetchval("SELECT count(*) FROM assignment_migration") == len(legacy.tickets)
        assert await mismatches(conn) == []
        await migrate.up(conn, sql.MIGRATIONS, to=LAST)
        await migrate.down(conn, sql.MIGRATIONS, to=5)
        await migrate.down(conn, sql.MIGRATIONS, to=0)
        assert (await fingerprint(conn))["engineer_assignments"] == before["engineer_assignments"]


@pytest.mark.parametrize(
    ("policies", "is_hidden"),
    [
        ([], True),
        (["USING (id <> 'x')"], True),
        (["USING (true)"], False),
        (["TO {role} USING (true)"], False),
        (["TO pg_monitor USING (true)"], True),
        (["FOR SELECT USING (true)"], True),
        (["FOR SELECT USING (true)", "FOR UPDATE USING (true)"], False),
        (["USING (true)", "AS RESTRICTIVE USING (id <> 'x')"], True),
    ],
    ids=str,
)
async def test_hidden_rows_of_the_servers_role_are_recognised(fresh_url, policies, is_hidden):
    role = f"server_{uuid4().hex}"
    async with connect(fresh_url) as admin:
        await admin.execute(f"CREATE ROLE {role} LOGIN")
        await grant(admin, role)
        await admin.execute("INSERT INTO service_tickets (id, ticket_number) VALUES ('x', 'x')")
        await admin.execute("ALTER TABLE service_tickets ENABLE ROW LEVEL SECURITY")
        for n, policy in enumerate(policies):
            await admin.execute(f"CREATE POLICY p{n} ON service_tickets {policy.format(role=role)}")
        async with connect(as_role(fresh_url, role)) as conn:
            tables = await server.tables_with_hidden_rows(conn, names.tables(sql.MIGRATIONS))
            seen = await conn.fetch("SELECT id FROM service_tickets FOR UPDATE")
        await admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    assert tables == (["service_tickets"] if is_hidden else [])
    assert bool(seen) is not is_hidden


async def test_doctor_names_the_table_and_the_remedy(fresh_url):
    role = f"server_{uuid4().hex}"
    async with connect(fresh_url) as admin:
        await admin.execute(f"CREATE ROLE {role} LOGIN; ALTER TABLE equipment ENABLE ROW LEVEL SECURITY")
        await grant(admin, role)

        async def problems():
            async with connect(as_role(fresh_url, role)) as conn:
                return [text async for text in doctor.check_role(conn, {})]

        [problem] = await problems()
        assert problem.startswith(f"Row security hides rows of equipment from {role}.")
        await admin.execute(problem.partition(": ")[2].partition(". Or")[0])
        assert await problems() == []
        await admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_the_administrator_sees_all_rows(fresh_url):
    async with connect(fresh_url) as conn:
        await conn.execute(HIDE.format("service_tickets"))
        assert await server.tables_with_hidden_rows(conn, names.tables(sql.MIGRATIONS)) == []
