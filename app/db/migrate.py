"""Runs migrations: each once, in order, one migrator at a time, and remembered.

A file runs in one transaction together with its row in schema_migrations. One that runs outside a transaction
starts again from the top after a failure, so each of its statements must be safe to run twice. One that is
run on request is left out unless its number is asked for.
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from app.db.connections import Connection
from app.db.migration_files import Migration, MigrationError, Script, code, read

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

Say: TypeAlias = "Callable[[str], object]"

LOCK = 7_301_112_024_001  # An arbitrary number: whoever holds its advisory lock may change the schema.

_NEW_INDEX = re.compile(
    r'\bindex\s+concurrently\s+(?:if\s+not\s+exists\s+)?(?:[^\s(]+\.)?("[^"]+"|[\w$]+)', re.IGNORECASE
)
_HISTORY = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(), duration_seconds float8 NOT NULL)"""
# A server asks these two on its own connections again and again; a name keeps those in use (app/db/pool.py).
_HAS_HISTORY = "/* migrate.has_history */ SELECT 1 WHERE to_regclass('schema_migrations') IS NOT NULL"
_APPLIED = "/* migrate.applied */ SELECT version, name, checksum FROM schema_migrations ORDER BY version"
_REMEMBER = """
INSERT INTO schema_migrations (version, name, checksum, duration_seconds) VALUES ($1, $2, $3, $4)"""
_INVALID_INDEXES = """
SELECT c.oid::regclass::text, c.relname
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND c.relkind = 'i' AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1"""


@dataclass(frozen=True, slots=True)
class LockPolicy:
    """How long to wait for others before giving up."""

    turn_s: float = 60  # for another migrator to finish
    poll_s: float = 0.25
    # Short, because while a statement queues for a lock, all queries on that table queue behind it.
    lock_timeout_s: float = 0.5
    # Long, because a statement that says CONCURRENTLY holds up neither readers nor writers while it waits.
    concurrently_lock_timeout_s: float = 600
    attempts: int = 30
    # Long enough for the queries that queued behind the last attempt to get through.
    pause_s: float = 2


_LOCK_POLICY = LockPolicy()


@dataclass(frozen=True, slots=True)
class Status:
    """`waiting` are pending, too, but only run when somebody asks for them."""

    applied: list[Migration]
    pending: list[Migration]
    waiting: list[Migration]

    @property
    def problem(self) -> str | None:
        """Why this code cannot work with such a database, and what to do; None when it can."""
        if not self.pending:
            return None
        return f"Migration {self.pending[0].label} has not been applied: run python -m app migrate up."


async def status(conn: Connection, folder: Path) -> Status:
    """Compare without writing; a history that the files do not describe is refused."""
    return await _compare(conn, read(folder))


async def _compare(conn: Connection, migrations: Sequence[Migration]) -> Status:
    rows: list[Any] = []
    if await conn.fetch(_HAS_HISTORY):
        rows = await conn.fetch(_APPLIED)
    known = {m.version: m for m in migrations}
    for version, name, checksum in rows:
        if version not in known:
            raise MigrationError(
                f"The database has migration {version:04}_{name}, which this release does not know: "
                "use the release that has it, to run or to migrate down."
            )
        if known[version].checksum != checksum:
            raise MigrationError(
                f"{known[version].up.file}: the file was edited after it was applied; "
                "restore it and put the change into a new migration."
            )
    applied = [known.pop(version) for version, _, _ in rows]
    pending = [m for m in known.values() if not m.on_request]
    if applied and pending and pending[0].version < applied[-1].version:
        raise MigrationError(
            f"{pending[0].up.file}: it comes before {applied[-1].label}, which is applied; renumber it."
        )
    return Status(applied, pending, waiting=[m for m in known.values() if m.on_request])


async def problem(conn: Connection, migrations: Sequence[Migration]) -> str | None:
    """Why this code cannot work with this database, and what to do; None when it can."""
    try:
        return (await _compare(conn, migrations)).problem
    except MigrationError as error:
        return str(error)


async def up(
    conn: Connection,
    folder: Path,
    *,
    to: int | None = None,
    dry_run: bool = False,
    patience: LockPolicy = _LOCK_POLICY,
    say: Say = lambda _: None,
) -> list[str]:
    """Apply what is pending, up to and including `to`, and return the labels of what ran.

    None as `to` means all but what waits to be asked for.

    Needs a connection of its own, straight to the server (a pooler would lend the advisory lock to others)
    and without a command timeout. A dry run tries the files in one transaction that is rolled back; until
    then it holds every lock that they take.
    """
    migrations = _read_and_find(folder, to)
    run = _Run(conn, patience, say, dry_run=dry_run)
    async with run.turn():
        found = await _compare(conn, migrations)
        waiting = [] if to is None else found.waiting
        todo = sorted(found.pending + waiting, key=lambda m: m.version)
        return await run.all([(m, m.up) for m in todo if to is None or m.version <= to])


async def down(
    conn: Connection,
    folder: Path,
    *,
    to: int | None = None,
    dry_run: bool = False,
    patience: LockPolicy = _LOCK_POLICY,
    say: Say = lambda _: None,
) -> list[str]:
    """Undo, newest first, all that is after `to` (None: only the newest; 0: everything), as `up` does."""
    migrations = _read_and_find(folder, to)
    run = _Run(conn, patience, say, dry_run=dry_run)
    async with run.turn():
        applied = (await _compare(conn, migrations)).applied
        undo = applied[-1:] if to is None else [m for m in applied if m.version > to]
        if stuck := [m.label for m in undo if m.down is None]:
            raise MigrationError(f"{stuck[-1]}: there is no down file, so nothing was undone.")
        return await run.all([(m, m.down) for m in reversed(undo) if m.down])


def _read_and_find(folder: Path, to: int | None) -> list[Migration]:
    migrations = read(folder)
    if to and to not in {m.version for m in migrations}:
        raise MigrationError(f"There is no migration {to:04}; the last one is {migrations[-1].label}.")
    return migrations


@dataclass(frozen=True, slots=True)
class _Run:
    conn: Connection
    patience: LockPolicy
    say: Say
    dry_run: bool
    progress: list[str] = field(default_factory=list)
    """What the script has said since it was last tried."""

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold the migrators' lock."""
        deadline = time.monotonic() + self.patience.turn_s
        # A session that waits inside pg_advisory_lock() holds a snapshot, which another migrator's
        # CREATE INDEX CONCURRENTLY would wait for: a deadlock. One that asks again and again does not.
        while not await self.conn.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
            if time.monotonic() > deadline:
                raise MigrationError("Another migrator is still at work; run this again when it is done.")
            await asyncio.sleep(self.patience.poll_s)
        self.conn.add_log_listener(self._tell)
        # An automatic vacuum gives way to who has waited this long, which must be before lock_timeout. Only a
        # superuser may say so; others have to wait until the vacuum is done.
        with suppress(asyncpg.InsufficientPrivilegeError):
            await self.conn.execute("SET deadlock_timeout = '100ms'")
        try:
            yield
        finally:
            self.conn.remove_log_listener(self._tell)
            if not self.conn.is_closed():
                await self.conn.execute("RESET lock_timeout; RESET statement_timeout")
                with suppress(asyncpg.InsufficientPrivilegeError):
                    await self.conn.execute("RESET deadlock_timeout")
                await self.conn.execute("SELECT pg_advisory_unlock($1)", LOCK)

    def _tell(self, _: object, message: Any) -> None:  # noqa: ANN401 - asyncpg's own
        """Pass on what a migration says of its progress."""
        if message.severity == "INFO":
            self.progress[:] = [message.message]
            self.say(message.message)

    async def all(self, steps: list[tuple[Migration, Script]]) -> list[str]:
        done: list[str] = []
        async with _rolled_back(self.conn) if self.dry_run else nullcontext():
            await self.conn.execute(_HISTORY)
            for migration, script in steps:
                if self.dry_run and not script.in_transaction:
                    for _, untried in steps[len(done) :]:
                        self.say(
                            f"{untried.file}: not tried, because {script.file} runs outside a transaction"
                        )
                    break
                await self._until_unblocked(migration, script)
                self.say(f"{script.file}: {'tried and rolled back' if self.dry_run else 'done'}")
                done.append(migration.label)
        return done

    async def _until_unblocked(self, migration: Migration, script: Script) -> None:
        attempt, attempts = 1, self.patience.attempts
        while True:
            try:
                return await self._attempt(migration, script)
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
                if attempt >= attempts:
                    raise MigrationError(
                        f"{script.file}: {_one_line(error)}, {attempt} times; pg_locks shows who holds it: "
                        "run this again when they are done."
                    ) from error
                self.say(f"{script.file}: {_one_line(error)} (attempt {attempt} of {attempts})")
            except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError) as error:
                raise MigrationError(
                    f"{script.file}: the connection was lost; ask for the status before you run this again."
                ) from error
            except asyncpg.PostgresError as error:
                raise MigrationError(f"{script.file}: {_one_line(error)}.") from error
            # One that has come further was not in vain, however often it has to be tried.
            attempt = 1 if self.progress else attempt + 1
            self.progress.clear()
            await asyncio.sleep(self.patience.pause_s)

    async def _attempt(self, migration: Migration, script: Script) -> None:
        started = time.monotonic()
        if script.in_transaction:
            async with self.conn.transaction():
                await self._execute(script)
                await self._remember(migration, script, time.monotonic() - started)
        else:
            await self._drop_leftovers(script)
            await self._execute(script)
            if invalid := [address for address, _ in await self.conn.fetch(_INVALID_INDEXES)]:
                raise MigrationError(
                    f"{script.file}: the index {', '.join(invalid)} is not valid; "
                    "drop it (or wait, if somebody is building it) and run this again."
                )
            await self._remember(migration, script, time.monotonic() - started)

    async def _drop_leftovers(self, script: Script) -> None:
        # A failed CONCURRENTLY leaves an invalid index behind, and IF NOT EXISTS would be content with that.
        names = {n[1:-1] if n[0] == '"' else n.lower() for n in _NEW_INDEX.findall(code(script.text))}
        for address, name in await self.conn.fetch(_INVALID_INDEXES):
            if name in names:
                await self._set_timeouts(self.patience.concurrently_lock_timeout_s)
                await self.conn.execute(f"DROP INDEX CONCURRENTLY {address}")
                self.say(f"{script.file}: dropped {address}, which an earlier attempt left invalid")

    async def _execute(self, script: Script) -> None:
        for offset, sql in script.parts:
            lock_timeout_s = self.patience.lock_timeout_s
            if not script.in_transaction and re.search(r"\bconcurrently\b", code(sql), re.IGNORECASE):
                lock_timeout_s = self.patience.concurrently_lock_timeout_s
            await self._set_timeouts(lock_timeout_s)
            try:
                await self.conn.execute(sql)
            except asyncpg.PostgresError as error:
                if not error.position:
                    raise
                line = script.line(offset + int(error.position) - 1)
                raise MigrationError(f"{line}: {_one_line(error)}.") from error

    async def _set_timeouts(self, lock_timeout_s: float) -> None:
        await self.conn.execute(
            "SELECT set_config('lock_timeout', $1, false), set_config('statement_timeout', '0', false)",
            f"{lock_timeout_s * 1000:.0f}ms",
        )

    async def _remember(self, m: Migration, script: Script, duration_s: float) -> None:
        if script is m.up:
            await self.conn.execute(_REMEMBER, m.version, m.name, m.checksum, duration_s)
        else:
            await self.conn.execute("DELETE FROM schema_migrations WHERE version = $1", m.version)


@asynccontextmanager
async def _rolled_back(conn: Connection) -> AsyncIterator[None]:
    transaction = conn.transaction()
    await transaction.start()
    try:
        yield
    finally:
        if not conn.is_closed():
            await transaction.rollback()


def _one_line(error: asyncpg.PostgresError) -> str:
    return " ".join(str(error).split()).rstrip(".")
