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
from tests.benchmarks.data import ENGINEERS
from tests.benchmarks.operations import Operation, Variables, decode_key
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
        connections = self.connections[: operation.connections]
        done = await asyncio.gather(
            *(_work(conn, operation, variables, started + seconds) for conn in connections)
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
    rows = await conn.fetch(*_tickets(operation, variables))
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


def _tickets(operation: Operation, variables: Variables) -> tuple[Any, ...]:
    if not operation.is_list:
        return statements.TICKETS, [variables["id"]]
    if "after" in variables:
        return statements.PAGE, variables["first"], *decode_key(variables["after"])
    if "engineerId" in variables:
        return statements.OF_ENGINEER, variables["first"], variables["engineerId"]
    return statements.NEWEST, variables["first"]


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
        connections = min(POOL_SIZE, operation.connections)
        return await self.run(_script(operation, self.tickets), seconds, connections)

    async def run(self, text: str, seconds: float, connections: int = POOL_SIZE) -> Result:
        """Run a script as often as possible."""
        program = shutil.which("pgbench", path=find_binaries()) or shutil.which("pgbench")
        if program is None:
            raise SystemExit("pgbench is missing; it comes with PostgreSQL's client programs.")
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
            script.write(text)
            script.flush()
            command = (
                f"{program} -n -M prepared -c {connections} -j 1 -T {max(1, round(seconds))} -f {script.name}"
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
    setup = ""
    if operation.is_list:
        variables = next(operation.variables(tickets))
        # pgbench does not substitute variables inside quotes.
        if "after" in variables:
            setup = f"\\set number random(51, {tickets})"
            text = statements.PAGE.replace(
                "$2::timestamptz", "timestamptz '2020-01-01Z' + :number * interval '30 s'"
            )
            text = text.replace("$3::text", "'T-' || :number")
        elif "engineerId" in variables:
            setup = f"\\set number random(0, {ENGINEERS - 1})"
            text = statements.OF_ENGINEER.replace("$2::uuid", "md5('engineer' || :number)::uuid")
        else:
            text = statements.NEWEST
        newest = text.replace("$1", str(variables["first"]))
        keys = f"ARRAY(SELECT id FROM ({newest}) AS listed)"
        lines = [newest]
    else:
        setup = f"\\set number random(1, {tickets})"
        keys = "ARRAY['T-' || :number]"
        lines = [statements.TICKETS.replace("$1::text[]", keys)]
    current = statements.CURRENT.replace("$1::text[]", keys)
    lines += [
        current,
        statements.ENGINEERS.replace("$1::uuid[]", f"ARRAY(SELECT engineer_id FROM ({current}) AS held)"),
    ]
    if operation.with_history:
        lines.append(statements.HISTORY.replace("$1::text[]", keys))
    return setup + "\n" + "".join(f"{' '.join(line.split())};\n" for line in lines)
