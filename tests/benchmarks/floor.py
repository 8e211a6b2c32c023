"""The same reads without a server: a lower bound for every server on PostgreSQL."""

import asyncio
import re
import resource
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson

from app.demo.embedded_postgres import find_binaries
from tests.benchmarks import statements
from tests.benchmarks.operations import Operation, Variables
from tests.benchmarks.shared import POOL_SIZE


@dataclass(frozen=True, slots=True)
class Result:
    count: int
    duration_s: float
    cpu_s: float | None
    """CPU seconds of the process; None if unknown."""


@dataclass(frozen=True, slots=True)
class BareAsyncpg:
    """As many connections as a server's pool, always busy, and orjson, in this process."""

    connections: Sequence[asyncpg.Connection]
    tickets: int
    name: str = "bare asyncpg + orjson"

    async def flood(self, operation: Operation, seconds: float) -> Result:
        variables = operation.variables(self.tickets)
        cpu_before = resource.getrusage(resource.RUSAGE_SELF)
        started = time.perf_counter()
        done = await asyncio.gather(
            *(_work(conn, operation, variables, started + seconds) for conn in self.connections)
        )
        duration_s = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_SELF)
        cpu_s = after.ru_utime + after.ru_stime - cpu_before.ru_utime - cpu_before.ru_stime
        return Result(sum(done), duration_s, cpu_s)


async def _work(
    conn: asyncpg.Connection, operation: Operation, variables: Iterator[Variables], ends_at: float
) -> int:
    done = 0
    while time.perf_counter() < ends_at:
        await _read(conn, operation, next(variables))
        done += 1
    return done


async def _read(conn: asyncpg.Connection, operation: Operation, variables: Variables) -> bytes:
    rows = await (
        conn.fetch(statements.NEWEST, variables["first"])
        if operation.is_list
        else conn.fetch(statements.TICKETS, [variables["id"]])
    )
    tickets = [dict(row) for row in rows]
    ids = [ticket["id"] for ticket in tickets]
    current = {row["ticket_id"]: dict(row) for row in await conn.fetch(statements.CURRENT, ids)}
    engineer_ids = list({row["engineer_id"] for row in current.values()})
    engineers = {row["id"]: dict(row) for row in await conn.fetch(statements.ENGINEERS, engineer_ids)}
    history: dict[str, list[Any]] = defaultdict(list)
    if operation.with_history:
        for row in await conn.fetch(statements.HISTORY, ids):
            history[row["ticket_id"]].append(dict(row))
    for assignment in current.values():
        assignment["engineer"] = engineers[assignment["engineer_id"]]
    for ticket in tickets:
        ticket["currentAssignment"] = current[ticket["id"]]
        ticket["assignmentHistory"] = history[ticket["id"]]
    return orjson.dumps({"data": tickets}, default=str)


@asynccontextmanager
async def bare_asyncpg(database: str, tickets: int) -> AsyncIterator[BareAsyncpg]:
    connections = [await asyncpg.connect(database) for _ in range(POOL_SIZE)]
    try:
        yield BareAsyncpg(connections, tickets)
    finally:
        for conn in connections:
            await conn.close()


@dataclass(frozen=True, slots=True)
class Pgbench:
    """pgbench: prepared statements, results discarded."""

    database: str
    tickets: int
    name: str = "pgbench"

    async def flood(self, operation: Operation, seconds: float) -> Result:
        return await self.run(_script(operation, self.tickets), seconds)

    async def run(self, text: str, seconds: float) -> Result:
        """Run a script as often as possible."""
        program = shutil.which("pgbench", path=find_binaries()) or shutil.which("pgbench")
        if program is None:
            raise SystemExit("pgbench is missing; it comes with PostgreSQL's client programs.")
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
            script.write(text)
            script.flush()
            command = (
                f"{program} -n -M prepared -c {POOL_SIZE} -j 1 -T {max(1, round(seconds))} -f {script.name}"
            )
            process = await asyncio.create_subprocess_exec(
                *command.split(),
                self.database,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            output, wrong = await process.communicate()
        rows = re.search(rb"actually processed: (\d+)[\s\S]+tps = ([\d.]+)", output)
        if rows is None or process.returncode:
            raise SystemExit(f"pgbench failed: {wrong.decode()}")
        return Result(int(rows[1]), int(rows[1]) / float(rows[2]), None)


def _script(operation: Operation, tickets: int) -> str:
    """Each statement selects its keys itself: pgbench cannot store a list."""
    if operation.is_list:
        first = next(operation.variables(tickets))["first"]
        keys = f"ARRAY(SELECT id FROM service_tickets ORDER BY created_at DESC, id DESC LIMIT {first})"
        lines = ["", statements.NEWEST.replace("$1", str(first))]
    else:
        # pgbench does not substitute variables inside quotes.
        keys = "ARRAY['T-' || :number]"
        lines = [f"\\set number random(1, {tickets})", statements.TICKETS.replace("$1::text[]", keys)]
    current = statements.CURRENT.replace("$1::text[]", keys)
    lines += [
        current,
        statements.ENGINEERS.replace("$1::uuid[]", f"ARRAY(SELECT engineer_id FROM ({current}) AS held)"),
    ]
    if operation.with_history:
        lines.append(statements.HISTORY.replace("$1::text[]", keys))
    return lines[0] + "\n" + "".join(f"{' '.join(line.split())};\n" for line in lines[1:])
