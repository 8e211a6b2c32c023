"""The server's role can do its work, and nothing that would lose history."""

from __future__ import annotations

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
from tests.factories import DISPATCHER, Factories


@pytest.fixture
async def narrow_url(fresh_url):
    """The URL of a fresh database for a role that has only what is granted."""
    role = f"server_{uuid4().hex}"
    async with connect(fresh_url) as conn:
        await conn.execute(f"CREATE ROLE {role} LOGIN")
        await grant(conn, role)
        yield urlsplit(fresh_url)._replace(netloc=f"{role}@").geturl()
        await conn.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_the_role_can_do_the_servers_work(fresh_db, narrow_url):
    make = Factories(fresh_db)
    ticket, first, second = await make.ticket(), await make.engineer(), await make.engineer()
    async with open_database(narrow_url, pool_size=2) as db:
        await run(
            db,
            DISPATCHER,
            assign_ticket,
            AssignTicket(ticket_id=ticket, engineer_id=first),
            idempotency_key="k",
        )
        await run(
            db,
            DISPATCHER,
            escalate_ticket,
            EscalateTicket(ticket_id=ticket, next_engineer_id=second, reason="x"),
        )
        await tend_partitions(db)
        async with db.connection() as conn:
            assert len(await assignments.history_of_tickets(conn, [ticket])) == 2
            assert not (await server.about(conn)).is_superuser


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM engineer_assignments",
        "DELETE FROM service_tickets",
        "DELETE FROM assignment_events",
        "UPDATE assignment_events SET actor = 'nobody'",
        "UPDATE engineers SET is_active = false",
        "TRUNCATE engineer_assignments CASCADE",
        "ALTER TABLE engineer_assignments DROP COLUMN notes",
        "ALTER TABLE engineer_assignments DISABLE TRIGGER ALL",
        "DROP TABLE idempotency_keys",
        "DROP TABLE assignment_events_before",
        "DELETE FROM assignment_events_before",
        "DELETE FROM idempotency_keys",
        "SELECT drop_events('assignment_events_before')",
        "SELECT make_time_partition('assignment_events', 'mine', 'occurred_at', '2030-01-01', '2030-02-01')",
        "UPDATE dropped_events SET last_id = 0",
        "SELECT setval('assignment_events_id_seq', 1)",
        "CREATE TABLE mine (id int)",
        "SET session_replication_role = replica",
    ],
)
async def test_the_role_can_neither_change_the_schema_nor_lose_history(narrow_url, statement):
    async with connect(narrow_url) as conn:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(statement)
