"""The server's role can do its work, but cannot change the schema or delete history."""

from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.run import run
from app.db.connections import connect
from app.db.grants import grant
from app.db.pool import open_database
from app.jobs.runner import tend_partitions
from app.queries import assignments, server
from tests.databases import new_database
from tests.factories import DISPATCHER, Factories


@pytest.fixture(scope="module")
async def owner_url(server, template):
    async with new_database(server, template) as url:
        yield url


@pytest.fixture(scope="module")
async def role_url(owner_url):
    """The URL for a role that has only the granted privileges."""
    role = f"server_{uuid4().hex}"
    async with connect(owner_url) as conn:
        await conn.execute(f"CREATE ROLE {role} LOGIN")
        await grant(conn, role)
        yield urlsplit(owner_url)._replace(netloc=f"{role}@").geturl()
        await conn.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_the_role_can_do_the_servers_work(owner_url, role_url):
    async with open_database(owner_url, pool_size=1) as db:
        make = Factories(db)
        ticket, first, second = await make.ticket(), await make.engineer(), await make.engineer()
    assign = AssignTicket(ticket_id=ticket, engineer_id=first)
    escalate = EscalateTicket(ticket_id=ticket, next_engineer_id=second, reason="x")
    async with open_database(role_url, pool_size=2) as db:
        await run(db, DISPATCHER, assign_ticket, assign, idempotency_key="k")
        await run(db, DISPATCHER, escalate_ticket, escalate)
        await tend_partitions(db)
        async with db.connection() as conn:
            assert len(await assignments.history_of_tickets(conn, [ticket])) == 2
            assert not (await server.about(conn)).is_superuser


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM engineer_assignments",
        "DELETE FROM service_tickets",
        "DELETE FROM ticket_events",
        "UPDATE ticket_events SET actor = 'nobody'",
        "UPDATE engineers SET is_active = false",
        "TRUNCATE engineer_assignments CASCADE",
        "ALTER TABLE engineer_assignments DROP COLUMN notes",
        "ALTER TABLE engineer_assignments DISABLE TRIGGER ALL",
        "DROP TABLE idempotency_keys",
        "DROP TABLE ticket_events_before",
        "DELETE FROM ticket_events_before",
        "DELETE FROM idempotency_keys",
        "SELECT drop_events('ticket_events_before')",
        "SELECT make_time_partition('ticket_events', 'mine', 'recorded_at', '2030-01-01', '2030-02-01')",
        "UPDATE dropped_events SET last_id = 0",
        "SELECT setval('assignment_events_id_seq', 1)",
        "CREATE TABLE mine (id int)",
        "SET session_replication_role = replica",
    ],
)
async def test_the_role_cannot_change_the_schema_or_delete_history(role_url, statement):
    async with connect(role_url) as conn:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(statement)
