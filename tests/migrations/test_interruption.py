"""A migration that is killed after any statement is half way, and can be finished or undone from there."""

import asyncio
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from app import doctor
from app.config import Settings, this_command
from app.db import migrate, sql
from app.db.connections import connect
from app.db.migration_files import MigrationError, Script, read
from app.demo.embedded_postgres import find_binaries
from tests.apps import authorization, client_of, environment, make_app
from tests.migrations.commands import run_commands
from tests.migrations.conftest import LegacyDatabase
from tests.migrations.shapes import DOCUMENTED, mismatches

MIGRATIONS = read(sql.MIGRATIONS)
LAST = MIGRATIONS[-1].version
# The backfill and the contract do something else if the new application has worked.
CASES = [
    (m, is_used)
    for m in MIGRATIONS
    for is_used in ((False, True) if m.name in ("backfill", "contract") else (True,))
    if not (m.up.in_transaction and m.down.in_transaction)
]
INDEX = re.compile(r"(CREATE|DROP) .*INDEX CONCURRENTLY IF (?:NOT )?EXISTS (\S+)")
INVALIDATE = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass('{}');"


def dump(url: str) -> Counter[str]:
    """Count the lines of the definitions and rows of the whole database, which have no order."""
    command = [find_binaries() / "pg_dump", "--exclude-table=baton_migrations", url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return Counter(line.rstrip(",") for line in text.splitlines() if not line.startswith(("\\", "--")))


def write_killed(script: Script, n: int, folder: Path) -> Path:
    """Write the migrations to a folder, with a script that kills its session after `n` statements.

    An index that is built or dropped there is invalid, as if it had been killed in between.
    """
    shutil.copytree(sql.MIGRATIONS, folder)
    batches = [batch for _, batch in script.batches]
    indexes = [
        name
        for interrupted, batch in zip(("CREATE", "DROP"), batches[n - 1 : n + 1], strict=False)
        for action, name in INDEX.findall(batch)
        if action == interrupted
    ]
    injected = [*map(INVALIDATE.format, indexes), "SELECT pg_terminate_backend(pg_backend_pid());"]
    batches[n:n] = [f"-- next\n{statement}\n" for statement in injected]
    (folder / script.file).write_text("".join(batches), encoding="utf-8")
    return folder


async def kill_during_down(legacy: LegacyDatabase, to: int) -> None:
    """Kill `migrate down` while it waits to record the tickets that it has restored."""
    async with legacy.conn.transaction():
        await legacy.conn.execute("LOCK TABLE assignment_migration IN EXCLUSIVE MODE")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app", "migrate", "down", "--to", str(to)),
            env=environment(DATABASE_URL=legacy.url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        lines = ""
        while "attempt 1" not in lines:
            line = (await process.stdout.readline()).decode()
            assert line, f"it ended: {lines}"
            lines += line
        process.kill()
        await process.communicate()


@pytest.mark.soak
@pytest.mark.parametrize(("migration", "is_used"), CASES, ids=lambda x: getattr(x, "label", x))
async def test_both_directions_continue_after_any_statement(legacy_database, tmp_path, migration, is_used):
    runs = {"up": (migrate.up, migration.version), "down": (migrate.down, migration.version - 1)}
    legacy = await legacy_database(DOCUMENTED, to=LAST if is_used else migration.version)
    if is_used:
        await run_commands(legacy)

    async def go(direction, folder=sql.MIGRATIONS):
        run, to = runs[direction]
        async with connect(legacy.url) as conn:
            await run(conn, folder, to=to)

    expected = {}
    for direction in ("down", "up", "down", "up"):  # twice, because some down files keep data
        await go(direction)
        expected[direction] = dump(legacy.url)
    todo = [
        (direction, n, then)
        for direction in ("up", "down")
        if not (script := getattr(migration, direction)).in_transaction
        for n in range(1, len(script.batches) + 1)
        for then in ("up", "down")
    ]
    state = "up"
    while todo:
        case = next((case for case in todo if case[0] != state), None)
        if case is None:
            state = "down" if state == "up" else "up"
            await go(state)
            continue
        todo.remove(case)
        direction, n, state = case
        killed = write_killed(getattr(migration, direction), n, tmp_path / "-".join(map(str, case)))
        with pytest.raises(MigrationError, match="the connection was lost"):
            await go(direction, killed)
        [half_way] = (await migrate.status(legacy.conn, sql.MIGRATIONS)).half_way
        assert (half_way.migration, half_way.direction) == (migration, direction)
        await go(state)
        result, wanted = dump(legacy.url), expected[state]
        assert (case, result - wanted, wanted - result) == (case, Counter(), Counter())


@pytest.mark.parametrize("finish", [migrate.up, migrate.down], ids=lambda run: run.__name__)
async def test_a_killed_down_is_reported_and_finished_either_way(legacy_database, finish):
    contract = next(m for m in MIGRATIONS if m.on_request)
    legacy = await legacy_database(DOCUMENTED, to=contract.version)
    await kill_during_down(legacy, contract.version - 1)
    reported: list[str] = []
    await doctor.examine(Settings(database_url=legacy.url), emit=reported.append)
    sentence = (
        f"Migration {contract.label} is half way down: run {this_command()} migrate up to apply it, "
        f"or {this_command()} migrate down to undo it."
    )
    assert sentence in "\n".join(reported)
    async with client_of(make_app(legacy.url), headers=authorization()) as client:
        assert (await client.get("/readyz")).json() == {"ready": False, "reason": sentence}

    assert (await finish(legacy.conn, sql.MIGRATIONS))[0] == contract.label
    await migrate.up(legacy.conn, sql.MIGRATIONS)
    assert await mismatches(legacy.conn) == []
    async with client_of(make_app(legacy.url), headers=authorization()) as client:
        assert (await client.get("/readyz")).json() == {"ready": True, "reason": None}
        body = {"query": "{ tickets(first: 100) { nodes { currentAssignment { engineer { id } } } } }"}
        assert "errors" not in (await client.post("/graphql", json=body)).json()
