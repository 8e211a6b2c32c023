"""Legacy databases: three variants of the old tables, and the kinds of rows found in them."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from app.queries import migration

OLD_TABLES = ("engineers", "equipment", "service_tickets", "engineer_assignments")
_COMMON = """
CREATE TABLE engineers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, email text, phone text,
    engineer_level int NOT NULL DEFAULT 1 CHECK (engineer_level BETWEEN 1 AND 3), home_region text,
    skills text[] NOT NULL DEFAULT '{}', is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE equipment (
    id varchar(64) PRIMARY KEY, name text NOT NULL, serial_number text UNIQUE, manufacturer text, model text,
    category text, status text NOT NULL DEFAULT 'operational'
        CHECK (status IN ('operational', 'down', 'under_maintenance', 'decommissioned')),
    warranty_expiry date,
    created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE service_tickets (
    id varchar(64) PRIMARY KEY, ticket_number varchar(50) NOT NULL UNIQUE,
    equipment_id varchar(64) REFERENCES equipment (id), customer_name text, issue_category text,
    issue_description text,
    priority text NOT NULL DEFAULT 'medium' CHECK (priority IN ('critical', 'high', 'medium', 'low')),
    status text NOT NULL DEFAULT 'new' CHECK (status IN (
        'new', 'assigned', 'in_progress', 'on_hold', 'resolved', 'closed', 'cancelled')),
    {engineer_columns}, assignment_tier int, assignment_tier_name text, assigned_at timestamptz,
    acknowledged_at timestamptz, started_at timestamptz, resolved_at timestamptz, closed_at timestamptz,
    sla_response_due timestamptz, sla_resolution_due timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
COMMENT ON COLUMN service_tickets.assignment_tier IS '1 is the manufacturer; ask Bob about 6';
"""
_TEXT = "assigned_engineer_id varchar(64) DEFAULT '', assigned_engineer_name varchar(255) DEFAULT ''"
_UUID = "assigned_engineer_id uuid, assigned_engineer_name varchar(255)"


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    ddl: str
    uuid_tickets: bool = False
    uuid_engineers: bool = False
    renamed: dict[str, str] = field(default_factory=dict)
    """Columns with another name in this shape; an empty name means that the column does not exist."""
    statuses: dict[str, str] = field(default_factory=dict)

    def row(self, columns: dict[str, Any]) -> dict[str, Any]:
        """Convert the columns of an old assignment to this shape."""
        row = {self.renamed.get(name, name): value for name, value in columns.items()}
        if "status" in row:
            row["status"] = self.statuses.get(row["status"], row["status"])
        return {name: value for name, value in row.items() if name}


DOCUMENTED = Shape(
    "as documented",
    _COMMON.replace("{engineer_columns}", _TEXT)
    + """
CREATE TABLE engineer_assignments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    ticket_id varchar(64) NOT NULL REFERENCES service_tickets (id),
    engineer_id uuid NOT NULL, equipment_id varchar(64) REFERENCES equipment (id), assignment_tier int,
    assignment_tier_name text, assignment_type text DEFAULT 'auto', status text DEFAULT 'assigned',
    assigned_by text, assigned_at timestamptz DEFAULT now(), accepted_at timestamptz, rejected_at timestamptz,
    started_at timestamptz, completed_at timestamptz, diagnosis text, actions_taken text, parts_used jsonb,
    customer_rating int CHECK (customer_rating BETWEEN 1 AND 5), customer_feedback text,
    created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());
COMMENT ON TABLE engineer_assignments IS 'who did what';
""",
)
UUIDS = Shape(
    "uuids for tickets, columns missing",
    _COMMON.replace("{engineer_columns}", _UUID)
    + """
CREATE TABLE engineer_assignments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), ticket_id uuid NOT NULL, engineer_id uuid NOT NULL,
    equipment_id uuid, assignment_tier int, assignment_type varchar(20) DEFAULT 'auto',
    status varchar(20) DEFAULT 'assigned', assigned_at timestamptz DEFAULT now(), accepted_at timestamptz,
    started_at timestamptz, completed_at timestamptz, diagnosis text,
    created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());
CREATE INDEX ON engineer_assignments (engineer_id);
""",
    uuid_tickets=True,
    uuid_engineers=True,
    renamed=dict.fromkeys(
        ("assignment_tier_name", "assigned_by", "rejected_at", "actions_taken", "parts_used",
         "customer_rating", "customer_feedback"), ""),
)  # fmt: skip
ON_SITE = Shape(
    "on site instead of in progress",
    _COMMON.replace("{engineer_columns}", _TEXT)
    + """
CREATE TABLE engineer_assignments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    ticket_id varchar(64) NOT NULL REFERENCES service_tickets (id) ON DELETE CASCADE,
    engineer_id uuid NOT NULL, equipment_id varchar(64) NOT NULL,
    assignment_type text NOT NULL DEFAULT 'auto', status text NOT NULL DEFAULT 'assigned'
        CONSTRAINT chk_assignment_status CHECK (status IN (
            'assigned', 'accepted', 'en_route', 'on_site', 'completed', 'rejected', 'cancelled', 'waiting')),
    assigned_by text, assigned_at timestamptz DEFAULT now(), accepted_at timestamptz, rejected_at timestamptz,
    work_started_at timestamptz, work_completed_at timestamptz, diagnosis text, actions_taken text,
    parts_used jsonb, customer_rating int, customer_feedback text,
    created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
""",
    renamed={
        "started_at": "work_started_at",
        "completed_at": "work_completed_at",
        "assignment_tier": "",
        "assignment_tier_name": "",
    },
    statuses={"in_progress": "on_site", "failed": "rejected", "escalated": "cancelled", "done": "waiting"},
)
SHAPES = (DOCUMENTED, UUIDS, ON_SITE)

ANA, BO = UUID("aaaaaaaa-0000-4000-8000-000000000001"), UUID("bbbbbbbb-0000-4000-8000-000000000002")
GONE = UUID("cccccccc-0000-4000-8000-000000000003")


@dataclass(frozen=True, slots=True)
class Case:
    """A legacy ticket and its expected history: status and engineer, by sequence."""

    name: str
    ticket: dict[str, Any]
    old: tuple[dict[str, Any], ...]
    outcome: str
    history: tuple[tuple[str, UUID], ...]
    issues: tuple[str, ...] = ()
    only_text: bool = False
    """The old columns contain a value that is not a uuid."""
    ksuid: bool = False


def past(engineer: UUID, status: str, day: int | None, **columns: Any) -> dict[str, Any]:
    at = None if day is None else f"2024-01-{day:02}T08:00:00+00:00"
    return {"engineer_id": engineer, "status": status, "assigned_at": at} | columns


CASES = (
    Case("never assigned", {"status": "new"}, (), "no_engineer", ()),
    Case("a ticket in progress", {"status": "in_progress", "assigned_engineer_id": ANA}, (), "backfilled",
         (("in_progress", ANA),)),
    Case("a KSUID", {"status": "assigned", "assigned_engineer_id": ANA}, (), "backfilled",
         (("assigned", ANA),), ksuid=True),
    Case("an engineer that is not a uuid", {"status": "assigned", "assigned_engineer_id": "ENG-001"}, (),
         "quarantined", (), ("the ticket names an unknown engineer",), only_text=True),
    Case("a uuid that no engineer has", {"status": "assigned", "assigned_engineer_id": GONE}, (),
         "quarantined", (), ("the ticket names an unknown engineer",)),
    Case("upper case", {"status": "assigned", "assigned_engineer_id": str(ANA).upper()},
         (past(ANA, "assigned", 2),), "already_there", (("assigned", ANA),), only_text=True),
    Case("a trailing space", {"status": "assigned", "assigned_engineer_id": f"{ANA} "},
         (past(ANA, "accepted", 2),), "already_there", (("accepted", ANA),), only_text=True),
    Case("only a space", {"status": "new", "assigned_engineer_id": " "}, (), "no_engineer", (),
         only_text=True),
    Case("a null engineer", {"status": "new", "assigned_engineer_id": None}, (), "no_engineer", ()),
    Case("a null tier and time", {"status": "assigned", "assigned_engineer_id": ANA, "assignment_tier": None,
         "assigned_at": None}, (), "backfilled", (("assigned", ANA),)),
    Case("a tier of zero", {"status": "assigned", "assigned_engineer_id": ANA, "assignment_tier": 0}, (),
         "backfilled", (("assigned", ANA),)),
    Case("cancelled", {"status": "cancelled", "assigned_engineer_id": ANA}, (), "backfilled",
         (("cancelled", ANA),)),
    Case("on hold", {"status": "on_hold", "assigned_engineer_id": ANA}, (), "backfilled",
         (("in_progress", ANA),)),
    Case("new, with an engineer", {"status": "new", "assigned_engineer_id": ANA}, (), "backfilled",
         (("assigned", ANA),)),
    Case("closed without a time", {"status": "closed", "assigned_engineer_id": ANA, "resolved_at": None}, (),
         "backfilled", (("completed", ANA),)),
    Case("resolved, with a completed row", {"status": "resolved", "assigned_engineer_id": ANA,
         "resolved_at": "2024-01-09T00:00:00+00:00"}, (past(ANA, "completed", 2),), "already_there",
         (("completed", ANA),)),
    Case("A, then B, then A again", {"status": "in_progress", "assigned_engineer_id": ANA},
         (past(BO, "completed", 5), past(ANA, "completed", 2)), "backfilled",
         (("completed", ANA), ("completed", BO), ("in_progress", ANA))),
    Case("two active rows", {"status": "assigned", "assigned_engineer_id": BO},
         (past(ANA, "assigned", 2), past(BO, "assigned", 3)), "already_there",
         (("cancelled", ANA), ("assigned", BO)), ("another assignment held the ticket",)),
    Case("two active rows, and no engineer in the columns", {"status": "assigned"},
         (past(ANA, "assigned", 2), past(BO, "accepted", 3)), "no_engineer",
         (("cancelled", ANA), ("accepted", BO)), ("another assignment held the ticket",)),
    Case("columns and active row differ", {"status": "assigned", "assigned_engineer_id": BO},
         (past(ANA, "assigned", 2),), "backfilled", (("cancelled", ANA), ("assigned", BO)),
         ("another assignment held the ticket",)),
    Case("a cancelled ticket with an active row", {"status": "cancelled", "assigned_engineer_id": ANA},
         (past(ANA, "in_progress", 2),), "already_there", (("cancelled", ANA),), ("the ticket had ended",)),
    Case("a resolved ticket with an active row", {"status": "resolved", "assigned_engineer_id": ANA},
         (past(ANA, "in_progress", 2),), "already_there", (("completed", ANA),), ("the ticket had ended",)),
    Case("equal times", {"status": "new"},
         (past(ANA, "rejected", 2, created_at="2024-01-02T09:00:00+00:00"),
          past(BO, "rejected", 2, created_at="2024-01-02T08:00:00+00:00")), "no_engineer",
         (("rejected", BO), ("rejected", ANA))),
    Case("a row without a time", {"status": "new"},
         (past(ANA, "completed", 3), past(BO, "rejected", None, created_at="2024-01-01T00:00:00+00:00")),
         "no_engineer", (("rejected", BO), ("completed", ANA))),
    Case("a row with a deleted engineer", {"status": "new"},
         (past(GONE, "completed", 2), past(ANA, "rejected", 3)),
         "no_engineer", (("rejected", ANA),), ("unknown engineer",)),
    Case("a row with an unknown status", {"status": "assigned", "assigned_engineer_id": ANA},
         (past(BO, "done", 2),), "backfilled", (("assigned", ANA),), ("unknown status",)),
    Case("parts that are not a list", {"status": "new"},
         (past(ANA, "completed", 2, parts_used={"part_number": "7"}, diagnosis="x"),), "no_engineer",
         (("completed", ANA),)),
)  # fmt: skip


def cases_of(shape: Shape) -> dict[str, Case]:
    """Return the cases that are possible in the shape, by ticket id."""
    possible = [
        case
        for case in CASES
        if not (shape.uuid_engineers and case.only_text)
        and not (case.name.startswith("parts") and "parts_used" in shape.renamed)
    ]
    cases = {}
    for n, case in enumerate(possible, 1):
        if case.ksuid:
            cases["2Yp3fQ0aZbKcXdWeVfUgThSiRjQ"] = case
        elif shape.uuid_tickets:
            cases[str(UUID(int=n << 64))] = case
        else:
            cases[f"TICKET-2024-{n:04}"] = case
    return cases


async def fill(conn: asyncpg.Connection, shape: Shape, *, load: bool = True) -> None:
    """Create the tables of the shape and, with `load`, a ticket of each case."""
    await conn.execute(shape.ddl)
    await conn.execute("INSERT INTO engineers (id, name) VALUES ($1, 'Ana Lima')", ANA)
    await conn.execute("INSERT INTO engineers (id, name) VALUES ($1, 'Bo Berg')", BO)
    equipment = str(UUID(int=7))
    await conn.execute("INSERT INTO equipment (id, name) VALUES ($1, 'MRI')", equipment)
    for ticket_id, case in cases_of(shape).items() if load else ():
        ticket = {
            "id": ticket_id,
            "ticket_number": f"N-{ticket_id}",
            "equipment_id": equipment,
            "assignment_tier": 2,
            "assignment_tier_name": "Dealer",
            "assigned_engineer_name": "As it was typed",
            "assigned_at": "2024-01-20T08:00:00+00:00",
            "created_at": "2024-01-01T00:00:00+00:00",
            "updated_at": "2024-01-21T00:00:00+00:00",
        }
        await insert(conn, "service_tickets", ticket | case.ticket)
        for old in case.old:
            row = {
                "ticket_id": ticket_id,
                "equipment_id": equipment,
                "updated_at": "2024-01-22T00:00:00+00:00",
            }
            await insert(conn, "engineer_assignments", shape.row(row | old))
    if load and shape.uuid_tickets:
        orphan = {"ticket_id": UUID(int=1), "engineer_id": ANA}
        await insert(conn, "engineer_assignments", shape.row(orphan))


async def insert(conn: asyncpg.Connection, table: str, row: dict[str, Any]) -> None:
    """Insert a row. Values are passed as JSON, so that they fit any column type."""
    names = ", ".join(row)
    text = json.dumps(row, default=str)
    await conn.execute(
        f"INSERT INTO {table} ({names}) SELECT {names} FROM jsonb_populate_record(NULL::{table}, $1)",
        text,
    )


async def mismatches(conn: asyncpg.Connection) -> list[migration.ReportLine]:
    """Return the lines of the migration report that differ from the expected counts."""
    return [line for line in await migration.report(conn) if not line.agrees]


async def fingerprint(conn: asyncpg.Connection) -> dict[str, str]:
    """Return a hash of all rows of both old tables, in any order."""
    return {
        table: await conn.fetchval(
            f"SELECT md5(coalesce(string_agg(x::text, '|' ORDER BY x::text), '')) FROM {table} x"
        )
        for table in ("service_tickets", "engineer_assignments")
    }
