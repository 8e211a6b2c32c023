"""Old databases: three shapes of the old tables, and rows as years of use leave them."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from app.demo.embedded_postgres import find_binaries

if TYPE_CHECKING:
    import asyncpg

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
COMMENT ON COLUMN service_tickets.assignment_tier IS '1 is the maker; ask Bob about 6';
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
    """Columns that have another name in this shape; an empty one is missing."""
    statuses: dict[str, str] = field(default_factory=dict)

    def row(self, columns: dict[str, Any]) -> dict[str, Any]:
        """An old assignment as this shape spells it."""
        named = {self.renamed.get(name, name): value for name, value in columns.items()}
        if "status" in named:
            named["status"] = self.statuses.get(named["status"], named["status"])
        return {name: value for name, value in named.items() if name}


ALIKE = Shape(
    "as the domain says",
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
SHAPES = (ALIKE, UUIDS, ON_SITE)

ANA, BO = UUID("aaaaaaaa-0000-4000-8000-000000000001"), UUID("bbbbbbbb-0000-4000-8000-000000000002")
GONE = UUID("cccccccc-0000-4000-8000-000000000003")


@dataclass(frozen=True, slots=True)
class Case:
    """One ticket as it was, and its history as it should be: status and engineer, by sequence."""

    says: str
    ticket: dict[str, Any]
    old: tuple[dict[str, Any], ...]
    outcome: str
    history: tuple[tuple[str, UUID], ...]
    issues: tuple[str, ...] = ()
    only_text: bool = False
    """The old columns hold what a uuid column cannot."""
    ksuid: bool = False


def turn(engineer: UUID, status: str, day: int | None, **columns: Any) -> dict[str, Any]:
    at = None if day is None else f"2024-01-{day:02}T08:00:00+00:00"
    return {"engineer_id": engineer, "status": status, "assigned_at": at} | columns


CASES = (
    Case("nobody was ever asked", {"status": "new"}, (), "no_engineer", ()),
    Case("a ticket in progress", {"status": "in_progress", "assigned_engineer_id": ANA}, (), "backfilled",
         (("in_progress", ANA),)),
    Case("a KSUID", {"status": "assigned", "assigned_engineer_id": ANA}, (), "backfilled",
         (("assigned", ANA),), ksuid=True),
    Case("an engineer that is not a uuid", {"status": "assigned", "assigned_engineer_id": "ENG-001"}, (),
         "quarantined", (), ("the ticket names an unknown engineer",), only_text=True),
    Case("a uuid that no engineer has", {"status": "assigned", "assigned_engineer_id": GONE}, (),
         "quarantined", (), ("the ticket names an unknown engineer",)),
    Case("upper case", {"status": "assigned", "assigned_engineer_id": str(ANA).upper()},
         (turn(ANA, "assigned", 2),), "already_there", (("assigned", ANA),), only_text=True),
    Case("a trailing space", {"status": "assigned", "assigned_engineer_id": f"{ANA} "},
         (turn(ANA, "accepted", 2),), "already_there", (("accepted", ANA),), only_text=True),
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
    Case("new, and names an engineer", {"status": "new", "assigned_engineer_id": ANA}, (), "backfilled",
         (("assigned", ANA),)),
    Case("closed without a time", {"status": "closed", "assigned_engineer_id": ANA, "resolved_at": None}, (),
         "backfilled", (("completed", ANA),)),
    Case("resolved, and the row says so", {"status": "resolved", "assigned_engineer_id": ANA,
         "resolved_at": "2024-01-09T00:00:00+00:00"}, (turn(ANA, "completed", 2),), "already_there",
         (("completed", ANA),)),
    Case("A, then B, then A again", {"status": "in_progress", "assigned_engineer_id": ANA},
         (turn(BO, "completed", 5), turn(ANA, "completed", 2)), "backfilled",
         (("completed", ANA), ("completed", BO), ("in_progress", ANA))),
    Case("two active rows", {"status": "assigned", "assigned_engineer_id": BO},
         (turn(ANA, "assigned", 2), turn(BO, "assigned", 3)), "already_there",
         (("cancelled", ANA), ("assigned", BO)), ("another assignment held the ticket",)),
    Case("two active rows, and the columns say nothing", {"status": "assigned"},
         (turn(ANA, "assigned", 2), turn(BO, "accepted", 3)), "no_engineer",
         (("cancelled", ANA), ("accepted", BO)), ("another assignment held the ticket",)),
    Case("the columns name another than the active row", {"status": "assigned", "assigned_engineer_id": BO},
         (turn(ANA, "assigned", 2),), "backfilled", (("cancelled", ANA), ("assigned", BO)),
         ("another assignment held the ticket",)),
    Case("a cancelled ticket with an active row", {"status": "cancelled", "assigned_engineer_id": ANA},
         (turn(ANA, "in_progress", 2),), "already_there", (("cancelled", ANA),), ("the ticket had ended",)),
    Case("a resolved ticket with an active row", {"status": "resolved", "assigned_engineer_id": ANA},
         (turn(ANA, "in_progress", 2),), "already_there", (("completed", ANA),), ("the ticket had ended",)),
    Case("equal times", {"status": "new"},
         (turn(ANA, "rejected", 2, created_at="2024-01-02T09:00:00+00:00"),
          turn(BO, "rejected", 2, created_at="2024-01-02T08:00:00+00:00")), "no_engineer",
         (("rejected", BO), ("rejected", ANA))),
    Case("a row without a time", {"status": "new"},
         (turn(ANA, "completed", 3), turn(BO, "rejected", None, created_at="2024-01-01T00:00:00+00:00")),
         "no_engineer", (("rejected", BO), ("completed", ANA))),
    Case("a row whose engineer is gone", {"status": "new"},
         (turn(GONE, "completed", 2), turn(ANA, "rejected", 3)),
         "no_engineer", (("rejected", ANA),), ("unknown engineer",)),
    Case("a row whose status nobody knows", {"status": "assigned", "assigned_engineer_id": ANA},
         (turn(BO, "done", 2),), "backfilled", (("assigned", ANA),), ("unknown status",)),
    Case("parts that are no list, a rating of the old scale", {"status": "new"},
         (turn(ANA, "completed", 2, parts_used={"part_number": "7"}, diagnosis="x"),), "no_engineer",
         (("completed", ANA),)),
)  # fmt: skip


def cases_of(shape: Shape) -> dict[str, Case]:
    """Each case that the shape can hold, by the id of its ticket."""
    possible = [
        case
        for case in CASES
        if not (shape.uuid_engineers and case.only_text)
        and not (case.says.startswith("parts") and "parts_used" in shape.renamed)
    ]
    found = {}
    for n, case in enumerate(possible, 1):
        if case.ksuid:
            found["2Yp3fQ0aZbKcXdWeVfUgThSiRjQ"] = case
        elif shape.uuid_tickets:
            found[str(UUID(int=n << 64))] = case
        else:
            found[f"TICKET-2024-{n:04}"] = case
    return found


async def fill(conn: asyncpg.Connection, shape: Shape, *, load: bool = True) -> dict[str, Case]:
    """Make the tables of the shape and, with `load`, a ticket of each case."""
    await conn.execute(shape.ddl)
    await conn.execute("INSERT INTO engineers (id, name) VALUES ($1, 'Ana Lima')", ANA)
    await conn.execute("INSERT INTO engineers (id, name) VALUES ($1, 'Bo Berg')", BO)
    equipment = str(UUID(int=7))
    await conn.execute("INSERT INTO equipment (id, name) VALUES ($1, 'MRI')", equipment)
    cases = cases_of(shape) if load else {}
    for ticket_id, case in cases.items():
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
        lost = {"ticket_id": UUID(int=1), "engineer_id": ANA}
        await insert(conn, "engineer_assignments", shape.row(lost))
    return cases


async def insert(conn: asyncpg.Connection, table: str, row: dict[str, Any]) -> None:
    """Values arrive as JSON, so that they fit whatever type the column has."""
    names = ", ".join(row)
    text = json.dumps(row, default=str)
    await conn.execute(
        f"INSERT INTO {table} ({names}) SELECT {names} FROM jsonb_populate_record(NULL::{table}, $1)",
        text,
    )


async def fingerprint(conn: asyncpg.Connection) -> dict[str, str]:
    """A hash over all rows of both old tables, whatever their order."""
    return {
        table: await conn.fetchval(
            f"SELECT md5(coalesce(string_agg(x::text, '|' ORDER BY x::text), '')) FROM {table} x"
        )
        for table in ("service_tickets", "engineer_assignments")
    }


def dump(url: str) -> str:
    """What pg_dump says of the two tables: columns in order, types, defaults, constraints, comments."""
    done = subprocess.run(
        [
            find_binaries() / "pg_dump",
            "--schema-only",
            "--table=service_tickets",
            "--table=engineer_assignments",
            url,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith(("\\", "--", "SET ")))
