"""The shape of the old tables: what is not supported is refused whole, before any change; the rest works."""

import asyncpg
import pytest

from app.db import migrate, shape, sql
from app.db.connections import connect, rolled_back
from app.db.migration_files import MigrationError, read
from tests.apps import authorization, client_of, make_app
from tests.databases import new_database
from tests.graphql.conftest import Api
from tests.migrations.catalog import definitions
from tests.migrations.shapes import BO, DOCUMENTED, fill, fingerprint, mismatches

LAST = read(sql.MIGRATIONS)[-1].version
REFUSED = {
    "an enum": (
        ["service_tickets.status is of type word"],
        (
            "CREATE TYPE word AS ENUM ('new', 'assigned', 'in_progress', 'on_hold', 'resolved',"
            " 'closed', 'cancelled')"
        ),
        (
            "ALTER TABLE service_tickets DROP CONSTRAINT service_tickets_status_check, ALTER "
            "status DROP DEFAULT, ALTER status TYPE word USING status::word, ALTER status SET "
            "DEFAULT 'new'"
        ),
    ),
    "an array of another type": (
        ["engineers.skills is of type jsonb"],
        ("ALTER TABLE engineers ALTER skills DROP DEFAULT, ALTER skills TYPE jsonb USING to_jsonb(skills)"),
    ),
    "a padded text": (
        ["equipment.name is of type character, not text"],
        "ALTER TABLE equipment ALTER name TYPE char(80)",
    ),
    "a domain over another type": (
        ["service_tickets.closed_at is of type day"],
        "CREATE DOMAIN day AS date",
        "ALTER TABLE service_tickets ALTER closed_at TYPE day",
    ),
    "times without a zone": (
        ["created_at is of type timestamp without time zone", "USING updated_at AT TIME ZONE 'UTC'"],
        ("ALTER TABLE service_tickets ALTER created_at TYPE timestamp, ALTER updated_at TYPE timestamp"),
    ),
    "missing columns of several tables": (
        [
            "ALTER TABLE public.service_tickets ADD COLUMN closed_at timestamp with time zone",
            "ADD COLUMN assignment_tier integer",
            "ADD COLUMN skills text[] NOT NULL DEFAULT '{}'",
            "ADD COLUMN manufacturer text",
            "engineer_assignments.updated_at does not exist",
        ],
        "ALTER TABLE service_tickets DROP COLUMN closed_at, DROP COLUMN assignment_tier",
        "ALTER TABLE engineers DROP COLUMN skills",
        "ALTER TABLE equipment DROP COLUMN manufacturer",
        "ALTER TABLE engineer_assignments DROP COLUMN updated_at",
    ),
    "a column in mixed case": (
        ['RENAME COLUMN "closedAt" TO closed_at'],
        'ALTER TABLE service_tickets RENAME closed_at TO "closedAt"',
    ),
    "a table in mixed case": (
        ['ALTER TABLE public."ServiceTickets" RENAME TO service_tickets'],
        'ALTER TABLE service_tickets RENAME TO "ServiceTickets"',
    ),
    "all tables in upper case": (
        ['public."ENGINEERS"', 'public."SERVICE_TICKETS"'],
        'ALTER TABLE engineers RENAME TO "ENGINEERS"',
        'ALTER TABLE equipment RENAME TO "EQUIPMENT"',
        'ALTER TABLE service_tickets RENAME TO "SERVICE_TICKETS"',
        'ALTER TABLE engineer_assignments RENAME TO "ENGINEER_ASSIGNMENTS"',
    ),
    "all tables in another schema": (
        ["ALTER TABLE crm.engineers SET SCHEMA public", "crm.engineer_assignments"],
        "CREATE SCHEMA crm",
        "ALTER TABLE engineers SET SCHEMA crm",
        "ALTER TABLE equipment SET SCHEMA crm",
        "ALTER TABLE service_tickets SET SCHEMA crm",
        "ALTER TABLE engineer_assignments SET SCHEMA crm",
    ),
    "one table in another schema": (
        ["ALTER TABLE crm.equipment SET SCHEMA public"],
        "CREATE SCHEMA crm",
        "ALTER TABLE equipment SET SCHEMA crm",
    ),
    "a table that does not exist": (
        ["public.engineer_assignments does not exist, unlike others"],
        "DROP TABLE engineer_assignments",
    ),
    "a view": (
        ["equipment is a view"],
        "ALTER TABLE equipment RENAME TO devices",
        "CREATE VIEW equipment AS SELECT * FROM devices",
    ),
    "a materialized view": (
        ["equipment is a materialized view"],
        "ALTER TABLE equipment RENAME TO devices",
        "CREATE MATERIALIZED VIEW equipment AS SELECT * FROM devices",
    ),
    "a foreign table": (
        ["equipment is a foreign table"],
        "ALTER TABLE equipment RENAME TO devices",
        "CREATE EXTENSION file_fdw",
        "CREATE SERVER files FOREIGN DATA WRAPPER file_fdw",
        "CREATE FOREIGN TABLE equipment (id text) SERVER files OPTIONS (filename '/')",
    ),
    "a partitioned table": (
        ["engineer_assignments is a partitioned table"],
        "ALTER TABLE engineer_assignments RENAME TO old",
        "CREATE TABLE engineer_assignments (LIKE old) PARTITION BY HASH (id)",
    ),
    "a table that inherits": (
        ["service_tickets inherits from a table, or is inherited"],
        "CREATE TABLE archived_tickets () INHERITS (service_tickets)",
    ),
    "an unlogged table": (
        ["engineer_assignments SET LOGGED"],
        "ALTER TABLE engineer_assignments SET UNLOGGED",
    ),
    "a rule": (
        ["service_tickets has the rule r"],
        "CREATE RULE r AS ON UPDATE TO service_tickets DO ALSO SELECT 1",
    ),
    "no primary key": (
        ["engineers has no primary key"],
        "ALTER TABLE engineers DROP CONSTRAINT engineers_pkey",
    ),
    "a partial unique index": (
        ["engineers has no primary key"],
        "ALTER TABLE engineers DROP CONSTRAINT engineers_pkey",
        "CREATE UNIQUE INDEX ON engineers (id) WHERE is_active",
    ),
    "a key of two columns": (
        ["equipment has no primary key (id)"],
        "ALTER TABLE equipment DROP CONSTRAINT equipment_pkey CASCADE, ADD PRIMARY KEY (id, name)",
    ),
    "a deferrable key": (
        ["engineers has no primary key"],
        "ALTER TABLE engineers DROP CONSTRAINT engineers_pkey, ADD PRIMARY KEY (id) DEFERRABLE",
    ),
    "ids that are numbers": (
        ["engineers.id is of type bigint, not uuid"],
        (
            "ALTER TABLE engineers ALTER id DROP DEFAULT, ALTER id TYPE bigint USING 1 + (name "
            "<> 'Bo Berg')::int"
        ),
    ),
    "tickets with uuids": (
        ["service_tickets.id is of type uuid"],
        "DELETE FROM engineer_assignments",
        "DELETE FROM service_tickets",
        "ALTER TABLE engineer_assignments DROP CONSTRAINT engineer_assignments_ticket_id_fkey",
        "ALTER TABLE service_tickets ALTER id TYPE uuid USING id::uuid",
    ),
    "a status that is too short": (
        ["service_tickets.status has room for 10 characters, not 11"],
        (
            "ALTER TABLE service_tickets DROP CONSTRAINT service_tickets_status_check, ALTER "
            "status TYPE varchar(10) USING left(status, 10)"
        ),
    ),
    "engineer ids without room for a uuid": (
        ["assigned_engineer_id has room for 20 characters, not 36"],
        "ALTER TABLE service_tickets ALTER assigned_engineer_id TYPE varchar(20) USING ''",
    ),
    "a check without a status that commands set": (
        ["does not allow the status in_progress, on_hold"],
        (
            "ALTER TABLE service_tickets DROP CONSTRAINT service_tickets_status_check, ADD "
            "CHECK (status IN ('new', 'assigned', 'closed', 'cancelled', 'resolved')) NOT VALID"
        ),
    ),
    "a generated column": (
        ["assignment_tier_name is generated"],
        (
            "ALTER TABLE service_tickets DROP COLUMN assignment_tier_name,ADD "
            "assignment_tier_name text GENERATED ALWAYS AS ('Tier ' || assignment_tier::text) "
            "STORED"
        ),
    ),
    "a collation that ignores case": (
        ["engineers.name has a nondeterministic collation"],
        "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        "ALTER TABLE engineers ALTER name TYPE text COLLATE ci",
    ),
    "nulls": (
        ["service_tickets.created_at is null in 1 rows", "service_tickets.priority is null in "],
        "ALTER TABLE service_tickets ALTER created_at DROP NOT NULL, ALTER priority DROP NOT NULL",
        "UPDATE service_tickets SET created_at = NULL WHERE id = 'TICKET-2024-0001'",
        "UPDATE service_tickets SET priority = NULL",
    ),
    "long ids": (
        ["equipment.id has more than 64 characters in 1 rows"],
        "ALTER TABLE equipment ALTER id TYPE text",
        "INSERT INTO equipment (id, name) VALUES (repeat('x', 65), 'MRI')",
    ),
    "tables of another role": (
        ["engineers belongs to postgres: run this as that"],
        "CREATE ROLE r",
        "GRANT CREATE ON SCHEMA public TO r",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO r",
        "SET ROLE r",
    ),
}


@pytest.fixture(scope="module")
async def old(server):
    async with new_database(server) as url, connect(url) as conn:
        await fill(conn, DOCUMENTED)
        yield conn


@pytest.mark.parametrize("case", REFUSED)
async def test_an_unsupported_shape_is_refused_with_every_reason(old, case):
    reasons, *statements = REFUSED[case]
    try:
        async with rolled_back(old):
            await old.execute("; ".join(statements))
            problems = await shape.problems(old, must_own=True, read_rows=True)
    except asyncpg.FeatureNotSupportedError as error:
        pytest.skip(str(error))
    for reason in reasons:
        assert any(reason in problem for problem in problems), problems
    for problem in problems:
        assert "public." in problem
        assert ": " in problem, "it says what to do"


async def test_up_and_its_dry_run_name_everything_at_once_and_change_nothing(empty_database):
    async with connect(empty_database) as conn:
        await fill(conn, DOCUMENTED)
        await conn.execute("; ".join(REFUSED["missing columns of several tables"][1:]))
        await conn.execute("CREATE VIEW service_tickets_compat AS SELECT 1 AS id")
        before = definitions(empty_database), await fingerprint(conn)
        for dry_run in (True, False):
            with pytest.raises(
                MigrationError, match=r"(?s)^Nothing was changed.*closed_at.*in use: view"
            ) as e:
                await migrate.up(conn, sql.MIGRATIONS, dry_run=dry_run)
            assert str(e.value).count("\n- ") == 6
        assert (definitions(empty_database), await fingerprint(conn)) == before


SUPPORTED = {
    "domains": (
        "CREATE DOMAIN word AS varchar(20)",
        "CREATE DOMAIN ticket_word AS word",
        "ALTER TABLE service_tickets ALTER status TYPE ticket_word, ALTER priority TYPE word",
        "ALTER TABLE engineers ALTER name TYPE word",
    ),
    "other widths": (
        "ALTER TABLE engineers ALTER skills TYPE varchar(40)[], ALTER engineer_level TYPE bigint",
        (
            "ALTER TABLE service_tickets ALTER id TYPE text, ALTER assignment_tier TYPE "
            "smallint,ALTER status TYPE varchar(11), ALTER assigned_engineer_id TYPE "
            "varchar(36)"
        ),
    ),
    "tiers as text": ("ALTER TABLE service_tickets ALTER assignment_tier TYPE text",),
    "a unique index instead of the primary key": (
        ("ALTER TABLE engineers DROP CONSTRAINT engineers_pkey,ADD CONSTRAINT engineers_id_key UNIQUE (id)"),
    ),
    "nullable columns without nulls": (
        (
            "ALTER TABLE service_tickets ALTER created_at DROP NOT NULL,ALTER updated_at DROP "
            "NOT NULL, ALTER status DROP NOT NULL, ALTER ticket_number DROP NOT NULL"
        ),
    ),
    "more columns, in another order": (
        "ALTER TABLE service_tickets ADD tenant int NOT NULL DEFAULT 7",
        "ALTER TABLE engineers ADD payroll text",
        "CREATE SCHEMA archive",
        "CREATE TABLE archive.service_tickets AS SELECT * FROM service_tickets",
        "ALTER TABLE service_tickets DROP COLUMN customer_name, ADD customer_name text",
    ),
    "a check with more words": (
        (
            "ALTER TABLE service_tickets DROP CONSTRAINT service_tickets_status_check, ADD "
            "CHECK (status <> 'unknown')"
        ),
    ),
}
ASSIGN = """
mutation ($ticket: ID!, $engineer: ID!) {
    assignTicket(input: {ticketId: $ticket, engineerId: $engineer}) { __typename ... on Refusal { message } }
}"""
READ = """
query ($ticket: ID!, $engineer: ID!) {
    tickets(first: 50, filter: {search: "N-"}) { totalCount nodes {
        id ticketNumber status priority customerName issueCategory issueDescription
        createdAt updatedAt startedAt resolvedAt closedAt
        equipment { id name serialNumber manufacturer model category }
        currentAssignment { id status engineer { name level region skills isActive email } }
        assignmentHistory { assignmentSequence status assignmentTier } } }
    new: tickets(first: 5, filter: {status: [NEW], priority: [MEDIUM]}) { nodes { id } }
    current: tickets(first: 5, filter: {engineerId: $engineer, tier: 1}) { nodes { id } }
    engineers(first: 5, search: "ana") { totalCount nodes { id name } }
    suggestEngineers(ticketId: $ticket) { engineer { id } }
    statistics(from: "2024-01-01T00:00:00Z", to: "2024-03-01T00:00:00Z") { tickets { __typename } }
}"""


@pytest.mark.parametrize("case", SUPPORTED)
async def test_a_supported_shape_is_read_and_written_by_the_api(empty_database, case):
    async def use_api(ticket):
        async with client_of(make_app(empty_database), headers=authorization()) as client:
            ask = Api(client)
            variables = {"ticket": ticket, "engineer": str(BO)}
            assigned = await ask(ASSIGN, **variables)
            assert assigned["assignTicket"] == {"__typename": "Assignment"}
            tickets = (await ask(READ, **variables))["tickets"]
        assert len(tickets["nodes"]) == tickets["totalCount"] > 20

    async with connect(empty_database) as conn:
        await fill(conn, DOCUMENTED)
        await conn.execute("; ".join(SUPPORTED[case]))
        await migrate.up(conn, sql.MIGRATIONS)
        await use_api("TICKET-2024-0001")
        assert await mismatches(conn) == []
        await migrate.up(conn, sql.MIGRATIONS, to=LAST)
        assert await shape.problems(conn, must_own=True, read_rows=True) == []
        await use_api("TICKET-2024-0008")
        await migrate.down(conn, sql.MIGRATIONS, to=0)
        engineer = "SELECT assigned_engineer_id FROM service_tickets WHERE id = 'TICKET-2024-0001'"
        assert await conn.fetchval(engineer) == str(BO)
