"""Everything that prevents sharding by ticket is listed in tests/sharding.py."""

import pytest

from app.db.pool import Database
from app.jobs.auto_escalation import escalate_overdue
from tests import sharding
from tests.commands.world import World
from tests.factories import Factories
from tests.sharding import DISTRIBUTED, FOREIGN_KEYS, JOINS, KEYS, LOCAL, LOCKS, REFERENCE, read, statements

# The transaction that last wrote each row.
WRITTEN = """
SELECT xmin::text, id AS ticket FROM service_tickets
UNION SELECT xmin::text, ticket_id FROM engineer_assignments
UNION SELECT xmin::text, ticket_id FROM ticket_events"""


@pytest.fixture
async def all_statements(tx):
    return [*statements(), *await sharding.statements_in_functions(tx)]


async def test_every_table_has_a_distribution(tx):
    tables = {row[0] for row in await tx.fetch(sharding.TABLES)}
    assert tables - {*DISTRIBUTED, *REFERENCE, *LOCAL} == set()
    assert DISTRIBUTED.keys() <= tables


async def test_every_key_contains_the_ticket_or_is_listed(tx):
    assert await sharding.keys_without_ticket(tx) == KEYS.keys()
    assert await sharding.foreign_keys_without_ticket(tx) == FOREIGN_KEYS.keys()


def test_every_lock_and_write_has_a_ticket_parameter_or_is_listed(all_statements):
    assert sharding.writes_without_ticket(all_statements) == LOCKS.keys()


def test_every_join_is_by_ticket_or_is_listed(all_statements):
    assert sharding.joins_without_ticket(all_statements) == JOINS.keys()


async def test_the_report_has_no_open_issue(tx):
    assert not [line for line in await sharding.report(tx) if line.endswith("!!")]


async def test_no_transaction_writes_two_tickets(fresh_db: Database):
    make, world = Factories(fresh_db), World(fresh_db)
    current = [await make.assigned() for _ in range(4)]
    await world.act("escalate", current[0], key="k", next_engineer_id=await make.engineer())
    await world.complete(current[1], "1")
    async with fresh_db.connection() as conn:
        await conn.execute("UPDATE assignment_tiers SET accept_within = '1 microsecond' WHERE tier = 1")
    await escalate_overdue(fresh_db)
    async with fresh_db.connection() as conn:
        by_transaction = await conn.fetch(f"SELECT xmin, array_agg(ticket) FROM ({WRITTEN}) AS w GROUP BY 1")
        overdue = await conn.fetchval("SELECT count(*) FROM ticket_events WHERE type = 'overdue'")
    assert overdue == 2
    assert [row for row in by_transaction if len(row[1]) > 1] == []


CTE = "WITH h AS (SELECT a.ticket_id FROM engineer_assignments a WHERE a.ticket_id = $1)"
JOINED = "SELECT a.id FROM engineer_assignments a JOIN service_tickets t ON t.id = a.ticket_id"


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("SELECT e.id FROM engineers e WHERE e.id = $1", "no ticket"),
        (f"{JOINED} WHERE t.id = $1", "one ticket"),
        (f"{JOINED} WHERE t.id = ANY ($1::text[])", "several tickets"),
        (f"{JOINED} WHERE t.id = $1 OR a.id = $2", "every machine"),
        (f"{JOINED} AND NOT t.id = $1", "every machine"),
        (f"{CTE} SELECT t.id FROM h x JOIN service_tickets t ON t.id = x.ticket_id", "one ticket"),
        ("SELECT t.id FROM service_tickets t, engineer_assignments a WHERE a.equipment_id = t.equipment_id",
         "every machine, not joined by ticket"),
    ],
)  # fmt: skip
def test_the_machines_that_execute_a_statement(text, reads):
    assert read("it", text).reads == reads


@pytest.mark.parametrize(
    "text",
    [
        "SELECT t.id FROM service_tickets t WHERE t.equipment_id = $1 FOR NO KEY UPDATE",
        "SELECT t.id FROM service_tickets t WHERE t.id = ANY ($1::text[]) FOR SHARE",
        "UPDATE engineer_assignments a SET notes = $2 WHERE a.id = $1",
        "DELETE FROM service_tickets",
        "INSERT INTO engineer_assignments (id, ticket_id) SELECT a.id, a.ticket_id FROM old a",
    ],
)
def test_a_write_without_a_ticket_parameter_is_detected(text):
    assert sharding.writes_without_ticket([read("it", text)]) == {"it"}
