"""Legacy databases as customers may have them, by Hypothesis: going back restores every definition and row.

EXAMPLES is the number of databases per way back; `make soak` tries many. With `-s`, pytest prints the counts.
"""

import json
import os
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.cancel import CancelAssignment, cancel_assignment
from app.commands.escalate import EscalateTicket, escalate_ticket
from app.commands.reassign import ReassignTicket, reassign_ticket
from app.commands.run import run
from app.commands.start import StartAssignment, start_assignment
from app.db import migrate, sql
from app.db.connections import connect
from app.db.migration_files import MigrationError, read
from app.db.pool import open_database
from app.domain.errors import DomainError
from app.queries import assignments
from tests.databases import new_database
from tests.factories import DISPATCHER
from tests.migrations import catalog
from tests.migrations.shapes import ANA, BO, SHAPES, Shape, mismatches

EXAMPLES = int(os.environ.get("EXAMPLES", "2"))
CONTRACT = next(m for m in read(sql.MIGRATIONS) if m.on_request).version
# What commands change of a ticket, besides its old columns; a trigger keeps the version.
CHANGED_BY_COMMANDS = {"status", "started_at", "resolved_at", "updated_at", "version"}
OLD_COLUMNS = ["assigned_engineer_id", "assigned_engineer_name", "assignment_tier", "assignment_tier_name"]
OLD = {*OLD_COLUMNS, "assigned_at"}

# In these statements "$" is the number of the part, and each <name> or <one|other> is a choice.
CHOICES = {
    "table": ("engineers", "equipment", "service_tickets", "engineer_assignments"),
    "old": OLD_COLUMNS,
    "key": (
        "assigned_engineer_id", "assignment_tier DESC NULLS LAST", "(coalesce(assignment_tier, 0) % 2)",
        "lower(assigned_engineer_name)", "assignment_tier_name text_pattern_ops", "created_at", "status",
        'assignment_tier_name COLLATE "C"', "(assigned_engineer_id::text || 'x')",
    ),
    "check": (
        "assignment_tier < 100", "assigned_engineer_id IS NULL OR assigned_engineer_id::text <> status",
        "assigned_engineer_name IS NULL OR length(assigned_engineer_name) < 200 AND id <> ''",
        "coalesce(assignment_tier, 1) >= 0 AND (assignment_tier_name <> 'x' OR priority = 'low')",
    ),
    "where": ("", "WHERE assigned_engineer_name <> ''", "WHERE status = 'new' AND assignment_tier > 0"),
}  # fmt: skip
TYPES = """
CREATE DOMAIN short_name AS text CHECK (length(VALUE) < 200);
ALTER TABLE service_tickets ALTER assigned_engineer_name DROP DEFAULT;
ALTER TABLE service_tickets
    ALTER assigned_engineer_name TYPE <varchar(255)|text|varchar(120) COLLATE "C"|short_name>,
    ALTER assignment_tier TYPE <int|smallint|bigint>, ALTER assignment_tier_name TYPE <text|varchar(60)>"""
RESTORED = """
ALTER TABLE <table> ADD extra_$ <text|serial|int GENERATED ALWAYS AS IDENTITY|uuid DEFAULT gen_random_uuid()>

ALTER TABLE <table> ADD extra_$ <text[] NOT NULL DEFAULT '{a,b}'|numeric(8,3) DEFAULT 1.5|timestamptz
    DEFAULT now() NOT NULL|int GENERATED ALWAYS AS (1 + 1) STORED>

UPDATE service_tickets SET assigned_engineer_name = '' WHERE assigned_engineer_name IS NULL;
ALTER TABLE service_tickets ALTER assigned_engineer_name SET NOT NULL;
ALTER TABLE service_tickets ALTER assigned_engineer_name SET DEFAULT ''

ALTER TABLE service_tickets ALTER assignment_tier SET DEFAULT <1|NULL|0 + 2>

ALTER TABLE service_tickets ALTER <old> SET STATISTICS <0|10|500>

ALTER TABLE service_tickets ALTER <old> SET (n_distinct = <-0.5|7>)

ALTER TABLE service_tickets ALTER assignment_tier_name SET <STORAGE EXTERNAL|STORAGE MAIN|COMPRESSION pglz>

COMMENT ON <COLUMN service_tickets.assignment_tier|TABLE equipment|COLUMN engineers.skills> IS 'it''s $'

CREATE INDEX "Index $" ON service_tickets (<key>, id) <INCLUDE (customer_name)|> <where>

CREATE INDEX index_$ ON service_tickets (<key>) <WITH (fillfactor = 60)|> <where>

CREATE UNIQUE INDEX unique_$ ON service_tickets (id, <key>) <NULLS NOT DISTINCT|>

CREATE INDEX other_$ ON engineer_assignments (<engineer_id|status|assigned_at DESC>)

ALTER TABLE service_tickets ADD CONSTRAINT check_$ CHECK (<check>) <NOT VALID|NO INHERIT|>

ALTER TABLE service_tickets ADD CONSTRAINT unique_$ UNIQUE (id, <old>) <DEFERRABLE INITIALLY DEFERRED|>

ALTER TABLE service_tickets ADD CONSTRAINT excluded_$ EXCLUDE (id WITH =, assignment_tier WITH =)

CREATE TABLE tiers_$ AS SELECT n AS tier FROM generate_series(0, 9) AS n;
ALTER TABLE tiers_$ ADD PRIMARY KEY (tier);
ALTER TABLE service_tickets ADD FOREIGN KEY (assignment_tier) REFERENCES tiers_$ (tier)
    <ON DELETE SET NULL|DEFERRABLE|NOT VALID|>

CREATE STATISTICS statistics_$ <(mcv)|(ndistinct, dependencies)|> ON <old>, status, priority
    FROM service_tickets;
ALTER STATISTICS statistics_$ SET STATISTICS <-1|7>

GRANT <SELECT|UPDATE|INSERT> (<old>, status) ON service_tickets TO <PUBLIC|{role}|{role} WITH GRANT OPTION>

GRANT <SELECT|ALL|TRIGGER, DELETE> ON <table> TO {role}

CREATE POLICY policy_$ ON service_tickets TO {role} USING (status <> 'closed')

ALTER TABLE <table> ENABLE ROW LEVEL SECURITY

ALTER TABLE service_tickets ADD COLUMN IF NOT EXISTS version int NOT NULL DEFAULT 1;
CREATE FUNCTION stamp_$() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
    NEW.updated_at := clock_timestamp(); NEW.version := OLD.version + 1; RETURN NEW; END';
CREATE TRIGGER stamp_$ BEFORE UPDATE ON service_tickets FOR EACH ROW EXECUTE FUNCTION stamp_$()

{audit}
CREATE <CONSTRAINT|> TRIGGER note_$ AFTER UPDATE ON service_tickets FOR EACH ROW EXECUTE FUNCTION note_$();
ALTER TABLE service_tickets <ENABLE|DISABLE> TRIGGER note_$

CREATE VIEW view_$ AS SELECT id, <status|sla_response_due> FROM service_tickets

CREATE VIEW rows_$ AS SELECT id, status FROM engineer_assignments"""
PREVENTING = """
CREATE VIEW prevents_$ AS SELECT id, <old> FROM service_tickets

CREATE MATERIALIZED VIEW prevents_$ AS SELECT id, <old> FROM service_tickets

CREATE POLICY prevents_$ ON service_tickets TO {role} USING (<old> IS NOT NULL)

ALTER TABLE service_tickets ADD prevents_$ text GENERATED ALWAYS AS (lower(assignment_tier_name)) STORED

CREATE RULE prevents_$ AS ON DELETE TO service_tickets WHERE OLD.<old> IS NULL DO INSTEAD NOTHING

{audit}
CREATE TRIGGER prevents_$ AFTER UPDATE OF <old> ON service_tickets FOR EACH ROW EXECUTE FUNCTION note_$()"""
AUDIT = """
CREATE TABLE audit_$ (n serial, ticket text);
CREATE FUNCTION note_$() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
    INSERT INTO audit_$ (ticket) VALUES (NEW.id); RETURN NULL; END';"""


@st.composite
def statements(draw, template):
    def choose(match):
        return draw(st.sampled_from(CHOICES.get(match[1]) or match[1].split("|")))

    return re.sub(r"<([a-z]+|[^<>]*\|[^<>]*)>", choose, template)


@dataclass(frozen=True)
class Customer:
    """A legacy schema: the statements that make it, and how many parts of it prevent the contract."""

    shape: Shape
    statements: list[str]
    prevents: int


@st.composite
def customers(draw):
    prevents = draw(st.sampled_from([0, 0, 1, 3]))
    restored, preventing = (st.sampled_from(part.split("\n\n")) for part in (RESTORED, PREVENTING))
    templates = [
        TYPES,
        *draw(st.lists(restored, min_size=6, max_size=14)),
        *draw(st.lists(preventing, min_size=prevents, max_size=prevents)),
    ]
    texts = [
        draw(statements(text.replace("{audit}", AUDIT))).replace("$", str(n))
        for n, text in enumerate(templates)
    ]
    return Customer(draw(st.sampled_from(SHAPES)), texts, prevents)


COMMANDS = st.lists(
    st.tuples(
        st.integers(0, 25),
        st.sampled_from(["give", "give", "reassign", "cancel", "start"]),
        st.sampled_from([ANA, BO]),
    ),
    max_size=8,
)


@pytest.fixture(scope="module")
def counts():
    counter = Counter()
    yield counter
    print("\n", dict(counter.most_common()))  # noqa: T201 - for -s


@pytest.fixture
async def template(_legacy_template):
    return _legacy_template


@pytest.mark.parametrize("works", [False, True], ids=["idle", "with work"])
@pytest.mark.parametrize("contracts", [False, True], ids=["side by side", "contract"])
@given(customer=customers(), commands=COMMANDS)
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
async def test_going_back_restores_everything(
    server, template, counts, role, contracts, works, customer, commands
):
    name = await template(customer.shape, load=True, to=0)
    async with new_database(server, name) as url, connect(url) as conn:
        for statement in customer.statements:
            await conn.execute(statement.replace("{role}", role))
        before, rows = catalog.definitions(url), await catalog.rows(conn)
        counts["schemas made"] += 1
        await migrate.up(conn, sql.MIGRATIONS)
        if contracts:
            await contract(conn, customer.prevents, counts)
        touched = await work(url, conn, commands) if works else {}
        await migrate.down(conn, sql.MIGRATIONS, to=0)
        assert catalog.definitions(url) == before
        now = await catalog.rows(conn)
        assert without(now, touched) == without(rows, touched)
        for ticket, expected in touched.items():
            check_changed_ticket(by_id(rows)[ticket], by_id(now)[ticket], expected)
        counts["round trips equal"] += 1


async def contract(conn, prevents, counts):
    if not prevents:
        await migrate.up(conn, sql.MIGRATIONS, to=CONTRACT)
        assert await mismatches(conn) == []
        return
    with pytest.raises(MigrationError, match="stay, because these use them") as refused:
        await migrate.up(conn, sql.MIGRATIONS, to=CONTRACT)
    named = re.findall(r"(\w+) (?:public\.)?prevents_\d+\b", str(refused.value))
    assert len(named) == prevents
    counts.update(f"refused: {kind}" for kind in named)


async def work(url, conn, commands):
    """Run commands; returns the engineer, tier and time of each ticket that the old columns must name."""
    tickets = [row[0] for row in await conn.fetch("SELECT id FROM service_tickets ORDER BY id")]
    touched = set()
    async with open_database(url, pool_size=2) as db:
        for n, action, engineer in commands:
            ticket = tickets[n % len(tickets)]
            async with db.connection() as c:
                current = await assignments.current_of_tickets(c, [ticket])
            try:
                await run(db, DISPATCHER, *command(ticket, current, action, engineer))
            except DomainError:
                continue
            touched.add(ticket)
    expected = await conn.fetch(
        "SELECT id, assigned_engineer_id, assignment_tier, assigned_at"
        " FROM service_tickets_compat WHERE id = ANY ($1)",
        list(touched),
    )
    return {ticket: tuple(values) for ticket, *values in expected}


def command(ticket, current, action, engineer):
    """The arguments of `run`; an action without effect is refused."""
    match action:
        case "give" if not current:
            return assign_ticket, AssignTicket(ticket_id=ticket, engineer_id=engineer)
        case "give":
            return escalate_ticket, EscalateTicket(ticket_id=ticket, next_engineer_id=engineer, reason="x")
        case "reassign":
            return reassign_ticket, ReassignTicket(ticket_id=ticket, engineer_id=engineer, reason="x")
        case "cancel":
            return cancel_assignment, CancelAssignment(assignment_id=id_of(current), reason="x")
        case _:
            return start_assignment, StartAssignment(assignment_id=id_of(current))


def id_of(current):
    return current[0].id if current else uuid4()


def without(rows, tickets):
    """The rows that have nothing to do with these tickets."""

    def is_of_others(row):
        columns = json.loads(row)
        return not tickets.keys() & {columns.get("ticket"), columns.get("id")}

    return {table: list(filter(is_of_others, of_table)) for table, of_table in rows.items()}


def by_id(rows):
    return {row["id"]: row for row in map(json.loads, rows["service_tickets"])}


def check_changed_ticket(before, now, expected):
    generated = {name for name in before if name.startswith("prevents_")}
    kept = before.keys() - CHANGED_BY_COMMANDS - OLD - generated
    assert {name: now[name] for name in kept} == {name: before[name] for name in kept}
    engineer, tier, _ = expected
    if engineer is None:
        assert not (now["assigned_engineer_id"] or "").strip()
        assert now["assigned_at"] in (None, before["assigned_at"])
    elif names(before) == (engineer, tier) and now["assigned_at"] == before["assigned_at"]:
        # Only the status has changed, and the columns are as somebody typed them.
        assert {name: now[name] for name in OLD} == {name: before[name] for name in OLD}
    else:
        assert (*names(now), datetime.fromisoformat(now["assigned_at"])) == expected


def names(ticket):
    return (ticket["assigned_engineer_id"] or "").strip().lower(), max(ticket["assignment_tier"] or 1, 1)
