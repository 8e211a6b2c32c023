"""Migrates a large old database up, over and back while an application works, and says who waited how long.

python -m tests.benchmarks.migration [--tickets 1000000] [--assignments 2500000]
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import asyncpg

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.cancel import CancelAssignment, cancel_assignment
from app.commands.run import run
from app.db import migrate, sql
from app.domain.errors import DomainError
from app.queries import assignments
from app.queries import tickets as ticket_queries
from tests.make import DISPATCHER
from tests.migrations.shapes import ALIKE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from app.db.pool import Connection, Database

SERVER = {"shared_buffers": "1GB", "max_wal_size": "4GB"}
ENGINEERS, EQUIPMENT = 200, 2000
CONTRACT = next(m.version for m in migrate.read(sql.MIGRATIONS) if m.on_request)

# The ids that old databases have: a number, a KSUID, a UUID. The two kinds of random ones mix.
TICKET_ID = """
CASE {n} % 3 WHEN 0 THEN 'TICKET-2024-' || lpad({n}::text, 7, '0')
    WHEN 1 THEN '2Y' || substr(translate(encode(sha256({n}::text::bytea), 'base64'), '+/', 'xy'), 1, 25)
    ELSE md5({n}::text)::uuid::text END"""
ENGINEER_ID = "('aaaaaaaa-0000-4000-8000-' || lpad((1 + {n} % $1)::text, 12, '0'))"
FILL = {
    "engineers": f"""
        INSERT INTO engineers (id, name)
        SELECT {ENGINEER_ID.format(n="n")}::uuid, 'Engineer ' || n FROM generate_series(0, $1::int - 1) AS n""",
    "equipment": "INSERT INTO equipment (id, name) SELECT 'EQ-' || n, 'MRI' FROM generate_series(1, $1::int) AS n",
    "service_tickets": f"""
        INSERT INTO service_tickets (id, ticket_number, equipment_id, customer_name, issue_category,
            issue_description, status, assigned_engineer_id, assigned_engineer_name, assignment_tier,
            assignment_tier_name, assigned_at, resolved_at, created_at, updated_at)
        SELECT {TICKET_ID.format(n="n")}, 'SR-' || n, 'EQ-' || 1 + n % $2, 'Customer ' || n % 5000, 'Category ' || n % 20,
            repeat('It does not cool. ', 1 + n % 8),
            (ARRAY['new', 'assigned', 'in_progress', 'on_hold', 'resolved', 'closed', 'closed', 'cancelled'])[1 + n / 2 % 8],
            CASE WHEN n % 2 = 0 THEN CASE n / 2 % 25 WHEN 0 THEN 'ENG-001' WHEN 1 THEN gen_random_uuid()::text
                WHEN 2 THEN upper(engineer) WHEN 3 THEN engineer || ' ' ELSE engineer END ELSE '' END,
            CASE WHEN n % 2 = 0 THEN 'Engineer ' || n % $1 ELSE '' END, CASE WHEN n % 2 = 0 THEN 1 + n / 2 % 3 END,
            NULL, at + interval '1 hour', CASE WHEN n / 2 % 8 > 3 THEN at + interval '9 days' END, at, at + interval '9 days'
        FROM generate_series(1, $3::int) AS n, LATERAL (SELECT {ENGINEER_ID.format(n="n")} AS engineer,
            timestamptz '2020-01-01Z' + n * interval '1 minute' AS at) AS of_ticket""",
    # Most tickets have a few, some have none, and now and then two of a ticket's rows are active.
    "engineer_assignments": f"""
        INSERT INTO engineer_assignments (ticket_id, engineer_id, equipment_id, assignment_tier, status, assigned_by,
            assigned_at, accepted_at, completed_at, diagnosis, actions_taken, parts_used, customer_rating, created_at, updated_at)
        SELECT {TICKET_ID.format(n="n")}, CASE WHEN a % 500 = 0 THEN gen_random_uuid() ELSE {ENGINEER_ID.format(n="(n + turn)")}::uuid END,
            'EQ-' || 1 + n % $2, 1 + turn % 3,
            CASE WHEN a % 700 = 0 THEN 'done' WHEN dice < 0.08 THEN 'assigned' WHEN dice < 0.15 THEN 'in_progress'
                WHEN dice < 0.7 THEN 'completed' WHEN dice < 0.85 THEN 'rejected' ELSE 'cancelled' END,
            'dispatcher', at, at + interval '1 hour', CASE WHEN dice >= 0.15 THEN at + interval '1 day' END,
            'A cold head that is worn', 'Replaced it', '[{{"part_number": "7", "quantity": 1}}]',
            CASE WHEN a % 3 = 0 THEN 1 + a % 5 END, at, at + interval '1 day'
        FROM generate_series(1, $4::int) AS a,
            LATERAL (SELECT 1 + floor(random() * $3::int + 0 * a)::int AS n, a % 3 AS turn, random() AS dice) AS chance,
            LATERAL (SELECT timestamptz '2020-01-01Z' + n * interval '1 minute' + turn * interval '2 days' AS at) AS of_row""",
}  # fmt: skip


async def fill(conn: Connection, *, tickets: int, assignments: int) -> None:
    """Old tables as years of use leave them, the same every time."""
    await conn.execute(ALIKE.ddl)
    await conn.execute("CREATE INDEX ON engineer_assignments (ticket_id); SELECT setseed(0.5)")
    # The rows are right, so the foreign keys need not look at each.
    await conn.execute("SET session_replication_role = replica")
    sizes = [ENGINEERS, EQUIPMENT, tickets, assignments]
    await conn.execute(FILL["engineers"], ENGINEERS)
    await conn.execute(FILL["equipment"], EQUIPMENT)
    await conn.execute(FILL["service_tickets"], *sizes[:3])
    await conn.execute(FILL["engineer_assignments"], *sizes)
    await conn.execute("RESET session_replication_role")
    await conn.execute("VACUUM ANALYZE")


class Application(Protocol):
    reads: Sequence[Callable[[str, random.Random], Awaitable[object]]]
    writes: Sequence[Callable[[str, random.Random], Awaitable[object]]]


class OldApplication:
    """Speaks to the old tables only, and knows nothing of a migration."""

    def __init__(self, pool: asyncpg.Pool, engineers: Sequence[UUID]) -> None:
        self.pool = pool
        self.engineers = engineers
        self.written: dict[str, tuple[UUID, int]] = {}
        """By ticket: the engineer and the tier that its old columns were given last."""
        self.reads = (self.read_ticket, self.read_assignments)
        self.writes = (self.write_ticket, self.write_assignment)

    async def read_ticket(self, ticket: str, _: random.Random) -> None:
        await self.pool.fetchrow(
            "SELECT id, status, assigned_engineer_id, assigned_engineer_name, assignment_tier"
            " FROM service_tickets WHERE id = $1",
            ticket,
        )

    async def read_assignments(self, ticket: str, _: random.Random) -> None:
        await self.pool.fetch(
            "SELECT id, engineer_id, status, assigned_at FROM engineer_assignments WHERE ticket_id = $1",
            ticket,
        )

    async def write_ticket(self, ticket: str, dice: random.Random) -> None:
        engineer, tier = dice.choice(self.engineers), dice.randint(1, 5)
        await self.pool.execute(
            "UPDATE service_tickets SET assigned_engineer_id = $2, assigned_engineer_name = 'typed',"
            " assignment_tier = $3, assigned_at = now(), status = 'assigned', updated_at = now() WHERE id = $1",
            ticket,
            dice.choice([str(engineer), str(engineer).upper(), f"{engineer} "]),
            tier,
        )
        self.written[ticket] = engineer, tier

    async def write_assignment(self, ticket: str, dice: random.Random) -> None:
        if dice.random() < 0.5:
            await self.pool.execute(
                "INSERT INTO engineer_assignments (ticket_id, engineer_id, status, rejected_at)"
                " VALUES ($1, $2, 'rejected', now())",
                ticket,
                dice.choice(self.engineers),
            )
        else:
            await self.pool.execute(
                "UPDATE engineer_assignments SET customer_rating = $2, updated_at = now() WHERE ticket_id = $1",
                ticket,
                dice.randint(1, 5),
            )


class NewApplication:
    """Reads the history, and writes by its own commands."""

    def __init__(self, db: Database, engineers: Sequence[UUID]) -> None:
        self.db = db
        self.engineers = engineers
        self.reads = (self.read_ticket, self.read_history)
        self.writes = (self.assign_or_cancel,)

    async def read_ticket(self, ticket: str, _: random.Random) -> None:
        async with self.db.connection() as conn:
            await ticket_queries.by_ids(conn, [ticket])

    async def read_history(self, ticket: str, _: random.Random) -> None:
        async with self.db.connection() as conn:
            await assignments.history_of_tickets(conn, [ticket])

    async def assign_or_cancel(self, ticket: str, dice: random.Random) -> None:
        async with self.db.connection() as conn:
            held = await assignments.current_of_tickets(conn, [ticket])
        with suppress(DomainError):  # an answer as good as another
            if held:
                wish = CancelAssignment(assignment_id=held[0].id, reason="mix-up")
                await run(self.db, DISPATCHER, cancel_assignment, wish)
            else:
                wish = AssignTicket(ticket_id=ticket, engineer_id=dice.choice(self.engineers))
                await run(self.db, DISPATCHER, assign_ticket, wish)


@dataclass
class Probe:
    """An application at work, each worker on a schedule of its own that waits for nobody.

    What a worker has to wait counts from when its operation was due, not from when it could begin.
    """

    application: Application
    tickets: Sequence[str]
    every_s: float
    workers: int = 4
    """That many only read, and that many only write, each other tickets."""
    waits: list[tuple[float, str, float]] = field(default_factory=list)
    """When it was due, by the monotonic clock; read or write; how many seconds it took."""
    deadlocks: int = 0
    failures: list[str] = field(default_factory=list)
    _at_work: bool = True

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Probe]:
        kinds = {"read": self.application.reads, "write": self.application.writes}
        work = [
            asyncio.create_task(self._work(kind, operations, n))
            for kind, operations in kinds.items()
            for n in range(self.workers)
        ]
        try:
            yield self
        finally:
            self._at_work = False
            await asyncio.gather(*work)

    async def _work(self, kind: str, operations: Sequence[Callable], number: int) -> None:
        dice = random.Random(number)  # noqa: S311 - a benchmark's choices
        mine = self.tickets[number :: self.workers]
        due = time.monotonic() + self.every_s * dice.random()
        while self._at_work:
            await asyncio.sleep(due - time.monotonic())
            await self._until_no_deadlock(dice.choice(operations), dice.choice(mine), dice)
            self.waits.append((due, kind, time.monotonic() - due))
            due += self.every_s

    async def _until_no_deadlock(self, operation: Callable, ticket: str, dice: random.Random) -> None:
        while True:
            try:
                return await operation(ticket, dice)
            except asyncpg.DeadlockDetectedError:
                self.deadlocks += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, the application would have seen it
                return self.failures.append(f"{operation.__name__}: {error!r}")


@dataclass
class Course:
    """What happened, step by step, and one line of a table for each."""

    probe: Probe | None = None
    retries: int = 0
    _began: float = field(default_factory=time.monotonic)

    def begin(self, probe: Probe | None = None) -> None:
        self.probe, self._began, self.retries = probe, time.monotonic(), 0

    def hear(self, message: str) -> None:
        """Of each file of a migration that ends; to be passed as its `say`."""
        if message.endswith(": done"):
            self.end(message.removesuffix(": done"))
        elif "(attempt" in message:
            self.retries += 1

    def end(self, step: str, rows: int | None = None) -> None:
        now = time.monotonic()
        took = now - self._began
        cells = [f"{step:<34}", f"{took:>8.1f}", f"{rows / took:>8.0f}" if rows else " " * 8]
        for kind in ("read", "write"):
            waits = self.probe.waits if self.probe else []
            found = sorted(wait for due, k, wait in waits if k == kind and self._began <= due < now)
            cells += (
                [f"{1000 * wait:>8.1f}" for wait in (found[-1], found[int(len(found) * 0.99)])]
                if found
                else [" " * 8] * 2
            )
        print(*cells, f"{self.retries:>7}", sep="  ", flush=True)
        self.begin(self.probe)


HEAD = (
    f"{'':<34}  {'':>8}  {'':>8}  {'reads, ms':>18}  {'writes, ms':>18}  {'':>7}\n"
    f"{'step':<34}  {'seconds':>8}  {'rows/s':>8}  {'worst':>8}  {'p99':>8}  {'worst':>8}  {'p99':>8}  {'retries':>7}"
)
