"""Objects of the customer that have a name which the migrations use: never replaced, moved or dropped."""

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from app.db import migrate, sql
from app.db.connections import connect, rolled_back
from app.db.migration_files import MigrationError, read
from app.demo.embedded_postgres import find_binaries
from tests.databases import new_database
from tests.migrations.shapes import DOCUMENTED, fill, mismatches
from tests.names import NAMES, collect

LAST = read(sql.MIGRATIONS)[-1].version
CASES = [tuple(line.split()[1:]) for line in NAMES.read_text(encoding="utf-8").splitlines()[1:]]
ROOT = Path(__file__).parents[2]
MIGRATION_MD = ROOT / "docs" / "migration.md"


def dump(url, *options):
    """The database, rows included."""
    command = [find_binaries() / "pg_dump", *options, url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line for line in text.splitlines() if not line.startswith("\\")]


def statements_for(kind, name, on_table=None):
    """Ways to create an object of the customer that has this name."""
    if kind == "schema":
        return [f"CREATE SCHEMA {name}; CREATE TABLE {name}.orders AS SELECT 1 AS id"]
    if kind == "function":
        return [
            f"CREATE FUNCTION {name}() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            f"CREATE PROCEDURE {name}(x int) LANGUAGE sql AS 'SELECT 1'",
        ]
    if kind == "trigger":
        return [
            "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"  # noqa: ISC004
            f"CREATE TRIGGER {name} BEFORE UPDATE ON {on_table} FOR EACH ROW EXECUTE FUNCTION stamp()"
        ]
    relations = [
        f"CREATE TABLE {name} AS SELECT 1 AS id",
        f"CREATE VIEW {name} AS SELECT 1 AS id",
        f"CREATE SEQUENCE {name}",
        f"CREATE INDEX {name} ON equipment (model)",
        f"CREATE TYPE {name} AS (id int)",
    ]
    types = [f"CREATE TYPE {name} AS ENUM ('x')", f"CREATE DOMAIN {name} AS int"]
    return relations + (types if kind == "table" else [])


@pytest.fixture(scope="module")
async def customer_template(server):
    async with new_database(server) as url:
        async with connect(url) as conn:
            await fill(conn, DOCUMENTED)
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture
async def customer_url(server, customer_template):
    async with new_database(server, customer_template) as url:
        yield url


@pytest.fixture
async def conn(customer_url):
    async with connect(customer_url) as conn:
        yield conn


async def test_the_list_of_names_is_current(server):
    assert await collect(server) == NAMES.read_text(encoding="utf-8"), "run: make fix"


@pytest.mark.parametrize("case", CASES, ids=" ".join)
async def test_up_is_refused_before_any_change_if_a_name_is_taken(customer_url, conn, case):
    kind = case[0] if case[0] in ("schema", "trigger") else ""
    refused = rf"(?s)^Nothing was changed.* {kind}.*\b{case[1]}\b"
    first, *others = statements_for(*case)
    for statement in others:
        async with rolled_back(conn):
            await conn.execute(statement)
            with pytest.raises(MigrationError, match=refused):
                await migrate.up(conn, sql.MIGRATIONS)
    await conn.execute(first)
    before = dump(customer_url)
    with pytest.raises(MigrationError, match=refused):
        await migrate.up(conn, sql.MIGRATIONS)
    assert dump(customer_url) == before


async def test_a_common_schema_and_equal_constraint_names_are_no_obstacle(conn, customer_url, fresh_url):
    async with connect(fresh_url) as migrated:
        rows = await migrated.fetch(
            "SELECT DISTINCT conname FROM pg_constraint WHERE contype IN ('c', 'f', 'p')"
        )
    checks = ", ".join(f'CONSTRAINT "{name}" CHECK (true)' for (name,) in rows)
    await conn.execute(
        "CREATE SCHEMA legacy; CREATE TABLE legacy.orders AS SELECT generate_series(1, 1000) AS id;"
        f"CREATE TABLE legacy.constraints ({checks})"
    )
    before = dump(customer_url, "--schema=legacy")
    await migrate.up(conn, sql.MIGRATIONS, to=LAST)
    assert dump(customer_url, "--schema=legacy") == before
    await migrate.down(conn, sql.MIGRATIONS, to=0)
    assert dump(customer_url, "--schema=legacy") == before


async def test_an_index_of_the_old_table_keeps_its_name(conn):
    """The contract takes it out of schema public, together with the table."""
    await conn.execute("CREATE INDEX engineer_assignments_engineer ON engineer_assignments (engineer_id)")
    await migrate.up(conn, sql.MIGRATIONS, to=LAST)
    await migrate.down(conn, sql.MIGRATIONS, to=0)
    definition = await conn.fetchval(
        "SELECT pg_get_indexdef('public.engineer_assignments_engineer'::regclass)"
    )
    assert definition.endswith("ON public.engineer_assignments USING btree (engineer_id)")


async def test_down_leaves_no_name_in_schema_public_and_up_knows_its_own_schema(conn):
    await migrate.up(conn, sql.MIGRATIONS, to=LAST)
    await migrate.down(conn, sql.MIGRATIONS, to=0)
    await conn.execute("CREATE FUNCTION app_now() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    with pytest.raises(MigrationError, match=r"in use: function public\.app_now\."):
        await migrate.up(conn, sql.MIGRATIONS)
    await conn.execute("DROP FUNCTION app_now()")
    assert len(await migrate.up(conn, sql.MIGRATIONS)) == LAST - 1


async def test_an_interrupted_up_knows_its_own_indexes(conn):
    """A name that is too long for an index stops 0003, after it has built others."""
    name = "(SELECT string_agg(md5(n::text), '') FROM generate_series(1, 5000) AS n)"
    await conn.execute(f"UPDATE engineers SET name = {name}")
    with pytest.raises(MigrationError, match="0003_indexes"):
        await migrate.up(conn, sql.MIGRATIONS)
    assert await conn.fetchval("SELECT to_regclass('service_tickets_newest') IS NOT NULL")
    assert "0003_indexes" in (await migrate.status(conn, sql.MIGRATIONS)).problem
    await conn.execute("UPDATE engineers SET name = 'Ana Lima'")
    assert (await migrate.up(conn, sql.MIGRATIONS))[0] == "0003_indexes"


async def test_down_and_the_contract_leave_a_schema_of_the_customer(conn):
    """The customer creates a schema of our name after `up` has checked the names."""
    await migrate.up(conn, sql.MIGRATIONS)
    await conn.execute("CREATE SCHEMA baton_legacy; CREATE TABLE baton_legacy.old_columns AS SELECT 1 AS id")
    with pytest.raises(MigrationError, match=r"in use: schema baton_legacy\."):
        await migrate.up(conn, sql.MIGRATIONS, to=LAST)
    with pytest.raises(MigrationError, match=r"in use: schema baton_legacy\."):
        await migrate.down(conn, sql.MIGRATIONS)
    assert await conn.fetchval("SELECT count(*) FROM baton_legacy.old_columns") == 1


async def test_an_invalid_index_of_another_schema_is_kept(conn):
    await conn.execute(
        "CREATE SCHEMA crm; CREATE TABLE crm.tickets AS SELECT 1 AS id FROM generate_series(1, 2)"
    )
    with pytest.raises(asyncpg.UniqueViolationError):
        await conn.execute("CREATE UNIQUE INDEX CONCURRENTLY service_tickets_newest ON crm.tickets (id)")
    await migrate.up(conn, sql.MIGRATIONS)
    assert await conn.fetchval("SELECT to_regclass('crm.service_tickets_newest') IS NOT NULL")


async def test_a_search_path_that_leads_elsewhere_is_refused(conn, customer_url):
    await conn.execute(
        "CREATE SCHEMA crm; ALTER TABLE engineers SET SCHEMA crm; SET search_path = public, crm"
    )
    before = dump(customer_url)
    for search_path, schema in (
        ("public, crm", "crm"),
        ("crm, public", "crm"),
        ("nowhere", "no schema"),
    ):
        await conn.execute(f"SET search_path = {search_path}")
        with pytest.raises(MigrationError, match=f"leads to {schema}: set it to public"):
            await migrate.up(conn, sql.MIGRATIONS)
    assert dump(customer_url) == before


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("schema_migrations", "20240101::bigint AS version, false AS dirty"),  # golang-migrate
        ("schema_migrations", "'20240101'::varchar AS version"),  # Rails, dbmate
        ("alembic_version", "'a1b2'::varchar AS version_num"),
        ("flyway_schema_history", "1 AS installed_rank, '1'::varchar AS version, 'SQL' AS type"),
        ("django_migrations", "1 AS id, 'tickets' AS app, '0001_initial' AS name, now() AS applied"),
    ],
)
async def test_the_migration_table_of_another_tool_is_left_alone(conn, table, columns):
    await conn.execute(f"CREATE TABLE {table} AS SELECT {columns}")
    before = await conn.fetch(f"SELECT * FROM {table}")
    assert (await migrate.status(conn, sql.MIGRATIONS)).applied == []
    await migrate.up(conn, sql.MIGRATIONS, to=LAST)
    assert await migrate.problem(conn, read(sql.MIGRATIONS)) is None
    await migrate.down(conn, sql.MIGRATIONS, to=0)
    assert await conn.fetch(f"SELECT * FROM {table}") == before


async def test_a_table_named_as_the_migrators_own_is_refused(conn):
    await conn.execute("CREATE TABLE baton_migrations (version bigint, dirty boolean)")
    assert (await migrate.status(conn, sql.MIGRATIONS)).applied == []
    with pytest.raises(MigrationError, match=r"in use: table public\.baton_migrations\."):
        await migrate.up(conn, sql.MIGRATIONS)


def test_no_migration_and_no_hint_says_cascade():
    """But for ON DELETE CASCADE, which concerns rows of our own tables only."""
    for file in [*sql.ROOT.rglob("*.sql"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "app").rglob("*.py")]:
        text = re.sub(r"ON\s+DELETE CASCADE", "", file.read_text(encoding="utf-8"))
        assert not re.search(r"\bcascade\b", text, re.IGNORECASE), file


def documented(schema):
    """The statements of docs/migration.md that delete the schema."""
    blocks = re.findall(r"```sql\n(.*?)```", MIGRATION_MD.read_text(encoding="utf-8"), re.DOTALL)
    [block] = [block for block in blocks if f"DROP SCHEMA {schema};" in block]
    return block


async def test_the_documented_statements_delete_what_down_keeps(conn):
    await migrate.up(conn, sql.MIGRATIONS, to=LAST)
    await migrate.down(conn, sql.MIGRATIONS, to=0)
    await conn.execute(documented("baton_kept"))
    assert len(await migrate.up(conn, sql.MIGRATIONS)) == LAST - 1
    assert await mismatches(conn) == []


async def test_the_documented_statements_delete_what_the_contract_keeps(conn):
    await migrate.up(conn, sql.MIGRATIONS, to=LAST)
    await conn.execute(documented("baton_legacy"))
    assert await mismatches(conn) == []
