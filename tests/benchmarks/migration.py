"""Migrates a large legacy database up, to the contract and down under load, and measures latency.

python -m tests.benchmarks.migration [--tickets 1000000] [--assignments 2500000]
"""

import argparse
import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import asyncpg

from app.commands.assign import AssignTicket, assign_ticket
from app.commands.cancel import CancelAssignment, cancel_assignment
from app.commands.run import run
from app.db import migrate, sql
from app.db.connections import Connection, connect
from app.db.pool import Database, open_database
from app.demo.embedded_postgres import EmbeddedPostgres
from app.domain.errors import DomainError
from app.queries import assignments, migration, tickets
from tests.databases import new_home
from tests.factories import DISPATCHER
from tests.migrations.shapes import DOCUMENTED

SERVER = {"shared_buffers": "1GB", "max_wal_size": "4GB"}
SOME_TICKETS = "SELECT id FROM service_tickets ORDER BY random() LIMIT 20000"
CONTRACT = next(m.version for m in migrate.read(sql.MIGRATIONS) if m.on_request)

FILL = """
-- Ids as in legacy databases: a number, a KSUID, a UUID. The old application selects rows by ticket.
CREATE FUNCTION pg_temp.ticket(n int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE n % 3 WHEN 0 THEN 'TICKET-2024-' || lpad(n::text, 7, '0')
        WHEN 1 THEN '2Y' || substr(translate(encode(sha256(n::text::bytea), 'base64'), '+/', 'xy'), 1, 25)
        ELSE md5(n::text)::uuid::text END $$;
CREATE FUNCTION pg_temp.engineer(n int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT 'aaaaaaaa-0000-4000-8000-' || lpad((n % {engineers})::text, 12, '0') $$;
CREATE FUNCTION pg_temp.opened(n int) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT timestamptz '2020-01-01Z' + n * interval '1 minute' $$;
CREATE INDEX ON engineer_assignments (ticket_id);
SELECT setseed(0.5);
SET session_replication_role = replica; -- The rows are valid: skip foreign key checks.

INSERT INTO engineers (id, name)
SELECT pg_temp.engineer(n)::uuid, 'Engineer ' || n FROM generate_series(1, {engineers}) AS n;

INSERT INTO equipment (id, name) SELECT 'EQ-' || n, 'MRI' FROM generate_series(0, 999) AS n;

INSERT INTO service_tickets (id, ticket_number, equipment_id, customer_name, issue_category,
    issue_description, status, assigned_engineer_id, assigned_engineer_name, assignment_tier, assigned_at,
    resolved_at, created_at, updated_at)
SELECT pg_temp.ticket(n), 'SR-' || n, 'EQ-' || n % 1000, 'Customer ' || n % 5000, 'Category ' || n % 20,
    repeat('It does not cool. ', 1 + n % 8),
    (ARRAY['new', 'assigned', 'in_progress', 'on_hold', 'resolved', 'closed', 'closed', 'cancelled'])
        [1 + n / 2 % 8],
    CASE WHEN n % 2 = 1 THEN '' ELSE CASE n / 2 % 25
        WHEN 0 THEN 'ENG-001' WHEN 1 THEN gen_random_uuid()::text WHEN 2 THEN upper(pg_temp.engineer(n))
        WHEN 3 THEN pg_temp.engineer(n) || ' ' ELSE pg_temp.engineer(n) END END,
    CASE WHEN n % 2 = 1 THEN '' ELSE 'Engineer ' || n % {engineers} END,
    CASE WHEN n % 2 = 0 THEN 1 + n / 2 % 3 END, pg_temp.opened(n) + interval '1 hour',
    CASE WHEN n / 2 % 8 > 3 THEN pg_temp.opened(n) + interval '9 days' END, pg_temp.opened(n),
    pg_temp.opened(n)
FROM generate_series(1, {tickets}) AS n;

-- Most tickets have a few assignments, some none, and some two active ones.
INSERT INTO engineer_assignments (ticket_id, engineer_id, equipment_id, assignment_tier, status, assigned_by,
    assigned_at, accepted_at, completed_at, diagnosis, actions_taken, parts_used, customer_rating, created_at,
    updated_at)
SELECT pg_temp.ticket(n),
    CASE WHEN a % 500 = 0 THEN gen_random_uuid() ELSE pg_temp.engineer(n + a % 3)::uuid END,
    'EQ-' || n % 1000, 1 + a % 3,
    CASE WHEN a % 700 = 0 THEN 'done' WHEN dice < 0.08 THEN 'assigned' WHEN dice < 0.15 THEN 'in_progress'
        WHEN dice < 0.7 THEN 'completed' WHEN dice < 0.85 THEN 'rejected' ELSE 'cancelled' END,
    'dispatcher', at, at + interval '1 hour', CASE WHEN dice >= 0.15 THEN at + interval '1 day' END,
    'A cold head that is worn', 'Replaced it', '[{{"part_number": "7", "quantity": 1}}]',
    CASE WHEN a % 3 = 0 THEN 1 + a % 5 END, at, at + interval '1 day'
FROM (SELECT a, 1 + floor(random() * {tickets})::int AS n, random() AS dice
    FROM generate_series(1, {assignments}) AS a) AS chance,
    LATERAL (SELECT pg_temp.opened(n) + a % 3 * interval '2 days' AS at) AS of_row;

RESET session_replication_role;
ANALYZE;
"""


async def fill(conn: Connection, *, tickets: int, assignments: int, engineers: int = 200) -> None:
    """Create legacy tables as years of use leave them."""
    await conn.execute(DOCUMENTED.ddl)
    await conn.execute(FILL.format(tickets=tickets, assignments=assignments, engineers=engineers))


class Application(Protocol):
    reads: Sequence[Callable[[str, random.Random], Awaitable[object]]]
    writes: Sequence[Callable[[str, random.Random], Awaitable[object]]]


class OldApplication:
    """Uses the old tables only."""

    def __init__(self, pool: asyncpg.Pool, engineers: Sequence[UUID]) -> None:
        self.pool = pool
        self.engineers = engineers
        self.written: dict[str, tuple[UUID, int]] = {}
        """By ticket: the engineer and tier last written to its old columns."""
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

    async def write_ticket(self, ticket: str, rng: random.Random) -> None:
        engineer, tier = rng.choice(self.engineers), rng.randint(1, 5)
        await self.pool.execute(
            "UPDATE service_tickets SET assigned_engineer_id = $2, assigned_engineer_name = 'typed',"
            " assignment_tier = $3, assigned_at = now(), status = 'assigned', updated_at = now()"
            " WHERE id = $1",
            ticket,
            rng.choice([str(engineer), str(engineer).upper(), f"{engineer} "]),
            tier,
        )
        self.written[ticket] = engineer, tier

    async def write_assignment(self, ticket: str, rng: random.Random) -> None:
        if rng.random() < 0.5:
            await self.pool.execute(
                "INSERT INTO engineer_assignments (ticket_id, engineer_id, status, rejected_at)"
                " VALUES ($1, $2, 'rejected', now())",
                ticket,
                rng.choice(self.engineers),
            )
        else:
            await self.pool.execute(
                "UPDATE engineer_assignments SET customer_rating = $2, updated_at = now()"
                " WHERE ticket_id = $1",
                ticket,
                rng.randint(1, 5),
            )


class NewApplication:
    """Reads the history, and writes by commands."""

    def __init__(self, db: Database, engineers: Sequence[UUID]) -> None:
        self.db = db
        self.engineers = engineers
        self.reads = (self.read_ticket, self.read_history)
        self.writes = (self.assign_or_cancel,)

    async def read_ticket(self, ticket: str, _: random.Random) -> None:
        async with self.db.connection() as conn:
            await tickets.by_ids(conn, [ticket])

    async def read_history(self, ticket: str, _: random.Random) -> None:
        async with self.db.connection() as conn:
            await assignments.history_of_tickets(conn, [ticket])

    async def assign_or_cancel(self, ticket: str, rng: random.Random) -> None:
        async with self.db.connection() as conn:
            current = await assignments.current_of_tickets(conn, [ticket])
        with suppress(DomainError):  # a refusal is a valid result
            if current:
                command = CancelAssignment(assignment_id=current[0].id, reason="mix-up")
                await run(self.db, DISPATCHER, cancel_assignment, command)
            else:
                command = AssignTicket(ticket_id=ticket, engineer_id=rng.choice(self.engineers))
                await run(self.db, DISPATCHER, assign_ticket, command)


@asynccontextmanager
async def old_application(url: str) -> AsyncIterator[tuple[OldApplication, list[str]]]:
    """The old application, and the tickets that it uses."""
    async with asyncpg.create_pool(url, min_size=8, max_size=8) as pool:
        engineers = [row[0] for row in await pool.fetch("SELECT id FROM engineers")]
        yield OldApplication(pool, engineers), [row[0] for row in await pool.fetch(SOME_TICKETS)]


@asynccontextmanager
async def new_application(url: str) -> AsyncIterator[tuple[NewApplication, list[str]]]:
    """The new application, and the tickets that it uses."""
    async with open_database(url, pool_size=8) as db:
        async with db.connection() as conn:
            engineers = [row[0] for row in await conn.fetch("SELECT id FROM engineers")]
            ids = [row[0] for row in await conn.fetch(SOME_TICKETS)]
        yield NewApplication(db, engineers), ids


@dataclass
class Probe:
    """Runs an application: each worker has a fixed schedule of its own.

    Latency counts from the time an operation was due, not from its start.
    """

    application: Application
    tickets: Sequence[str]
    every_s: float = 0.1
    workers: int = 4
    """This many readers and this many writers, each on its own tickets."""
    latencies: list[tuple[float, str, float]] = field(default_factory=list)
    """Due time (monotonic), read or write, and seconds."""
    deadlocks: int = 0
    failures: list[str] = field(default_factory=list)
    _is_running: bool = True

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Probe"]:
        kinds = {"read": self.application.reads, "write": self.application.writes}
        work = [
            asyncio.create_task(self._work(kind, operations, n))
            for kind, operations in kinds.items()
            for n in range(self.workers)
        ]
        try:
            yield self
        finally:
            self._is_running = False
            await asyncio.gather(*work)

    async def _work(self, kind: str, operations: Sequence[Callable], number: int) -> None:
        rng = random.Random(number)  # noqa: S311 - a benchmark's choices
        own_tickets = self.tickets[number :: self.workers]
        due = time.monotonic() + self.every_s * rng.random()
        while self._is_running:
            await asyncio.sleep(due - time.monotonic())
            await self._retry_deadlocks(rng.choice(operations), rng.choice(own_tickets), rng)
            self.latencies.append((due, kind, time.monotonic() - due))
            due += self.every_s

    async def _retry_deadlocks(self, operation: Callable, ticket: str, rng: random.Random) -> None:
        while True:
            try:
                return await operation(ticket, rng)
            except asyncpg.DeadlockDetectedError:
                self.deadlocks += 1
            except Exception as error:  # noqa: BLE001 - the application would see it, too
                return self.failures.append(f"{operation.__name__}: {error!r}")


@dataclass
class Phase:
    """Steps during which the same application runs; each is a line of the table."""

    rows: dict[str, int]
    """Rows that a step processes, if known."""
    steps: list[tuple[str, float, float, int]] = field(default_factory=list)
    retries: int = 0
    _began: float = field(default_factory=time.monotonic)

    def on_message(self, message: str) -> None:
        """The `say` callback of a migration."""
        if message.endswith(": done"):
            self.end(message.removesuffix(": done"))
        elif "(attempt" in message:
            self.retries += 1
            log(message)

    def end(self, step: str) -> None:
        now = time.monotonic()
        self.steps.append((step, self._began, now, self.retries))
        log(f"{step}: {now - self._began:.1f} s")
        self._began, self.retries = now, 0

    def lines(self, latencies: Sequence[tuple[float, str, float]]) -> list[str]:
        lines = []
        for step, started, ended, retries in self.steps:
            took = ended - started
            cells = [
                step,
                f"{took:.1f}",
                f"{self.rows[step] / took:.0f}" if step in self.rows else "",
                f"{retries}",
            ]
            for kind in ("read", "write"):
                latencies_ms = sorted(
                    1000 * s for due, k, s in latencies if k == kind and started <= due < ended
                )
                cells += (
                    [f"{latencies_ms[-1]:.0f}", f"{latencies_ms[int(len(latencies_ms) * 0.99)]:.1f}"]
                    if latencies_ms
                    else ["", ""]
                )
            lines.append(_line(cells))
        return lines


def _line(cells: Sequence[str]) -> str:
    first, *others = cells
    return f"{first:<36}" + "".join(f"{cell:>12}" for cell in others)


HEAD = (
    _line(["step", "seconds", "rows/s", "retries", "read worst", "read p99", "write worst", "write p99"])
    + "   (worst and p99 in ms)"
)


@dataclass
class Bench:
    url: str
    tickets: int
    assignments: int
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    async def run_all(self) -> None:
        async with connect(self.url) as conn:
            started = time.monotonic()
            await fill(conn, tickets=self.tickets, assignments=self.assignments)
            log(f"{self.tickets} tickets, {self.assignments} assignments: {time.monotonic() - started:.0f} s")
            async with self.phase(old_application) as phase:
                await asyncio.sleep(5)
                phase.end("(no migration)")
                async with self.memory(conn):
                    await migrate.up(conn, sql.MIGRATIONS, emit=phase.on_message)
                await self.verify(conn, phase)
            async with self.phase(new_application) as phase:
                await migrate.up(conn, sql.MIGRATIONS, to=CONTRACT, emit=phase.on_message)
                await self.verify(conn, phase)
                await migrate.down(conn, sql.MIGRATIONS, to=CONTRACT - 1, emit=phase.on_message)
            async with self.phase(old_application) as phase:
                await migrate.down(conn, sql.MIGRATIONS, to=0, emit=phase.on_message)
                # Again, now with the history that the downgrade kept.
                async with self.memory(conn):
                    await migrate.up(conn, sql.MIGRATIONS, emit=phase.on_message)
                await self.verify(conn, phase)

    @asynccontextmanager
    async def phase(self, application: Callable[[str], Any]) -> AsyncIterator[Phase]:
        rows = dict.fromkeys(("0005_backfill.up.sql", "0006_contract.down.sql"), self.tickets)
        phase = Phase(rows)
        async with application(self.url) as (works, ids):
            probe = Probe(works, ids)
            try:
                async with probe.running():
                    yield phase
            finally:
                print(HEAD, *phase.lines(probe.latencies), "", sep="\n", flush=True)
                worked = f"{len(probe.latencies)} operations, {probe.deadlocks} deadlocks"
                self.notes.append(f"{application.__name__}: {worked}")
                self.failures += probe.failures

    @asynccontextmanager
    async def memory(self, conn: Connection) -> AsyncIterator[None]:
        """Note the memory of the migration, here and in its backend process."""
        pids = {"this process": os.getpid(), "its server process": conn.get_server_pid()}
        seen = {name: [own_memory_mib(pid)] for name, pid in pids.items()}

        async def watch() -> None:
            while True:
                await asyncio.sleep(1)
                for name, pid in pids.items():
                    seen[name].append(own_memory_mib(pid))

        watching = asyncio.create_task(watch())
        yield
        watching.cancel()
        summary = (
            f"{name} {mib[0]:.0f} before, {max(mib):.0f} at most, {mib[-1]:.0f} after"
            for name, mib in seen.items()
        )
        self.notes.append(f"memory of migrate up, MiB: {'; '.join(summary)}")

    async def verify(self, conn: Connection, phase: Phase) -> None:
        report = await migration.report(conn)
        phase.end("verify")
        self.notes += ["verify:", *(f"  {line.item:<70}{line.counted:>10}" for line in report)]
        self.failures += [
            f"{line.item}: {line.counted}, not {line.expected}" for line in report if not line.agrees
        ]


def own_memory_mib(pid: int) -> float:
    """Resident memory that is not shared; NaN if unknown."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1024
    return float("nan")


def log(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=1_000_000)
    parser.add_argument("--assignments", type=int, default=2_500_000)
    options = parser.parse_args()
    with new_home() as home, EmbeddedPostgres(home, settings=SERVER) as url:
        bench = Bench(url, options.tickets, options.assignments)
        try:
            asyncio.run(bench.run_all())
        except migrate.MigrationError as error:
            bench.failures.append(str(error))
    failures = [f"FAILED {times} times: {text}" for text, times in Counter(bench.failures).items()]
    print(*bench.notes, *failures, sep="\n")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
