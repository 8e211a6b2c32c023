"""Executes migration files under the migrators' lock, with retries while tables are locked."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import uuid4

import asyncpg

from app.db.connections import Connection, rolled_back
from app.db.errors import one_line
from app.db.migration_files import RUN_THE_RESULT, Migration, MigrationError, Script, mask_literals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

Emit: TypeAlias = "Callable[[str], object]"

LOCK = 7_301_112_024_001  # The advisory lock of migrators; an arbitrary number.

_NEW_INDEX = re.compile(
    r'\bindex\s+concurrently\s+(?:if\s+not\s+exists\s+)?(?:[^\s(]+\.)?("[^"]+"|[\w$]+)', re.IGNORECASE
)
_NEEDS_NO_TRANSACTION = re.compile(r"\b(concurrently|call)\b", re.IGNORECASE)
_HAS_HISTORY = "SELECT to_regclass('public.baton_migrations') IS NOT NULL"
_CREATE_HISTORY = """
CREATE TABLE public.baton_migrations (
    version int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
    applied_at timestamptz, duration_seconds float8,
    half_way text CHECK (half_way IN ('up', 'down')), works_with text);
COMMENT ON TABLE public.baton_migrations IS
    'Baton: migrations that are applied, or half way, with the oldest release that works with each.'"""
# Of both directions, an interrupted one and its reverse, 'down' is kept: servers may not use that state.
_START = """
INSERT INTO public.baton_migrations AS m (version, name, checksum, works_with, half_way)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (version) DO UPDATE SET applied_at = NULL, half_way = least(m.half_way, excluded.half_way)"""
_FINISH = """
INSERT INTO public.baton_migrations (version, name, checksum, works_with, applied_at, duration_seconds)
VALUES ($1, $2, $3, $4, now(), $5)
ON CONFLICT (version) DO UPDATE
SET name = excluded.name, checksum = excluded.checksum, works_with = excluded.works_with, half_way = NULL,
    applied_at = excluded.applied_at, duration_seconds = excluded.duration_seconds"""
_FORGET = "DELETE FROM public.baton_migrations WHERE version = $1"
_INVALID_INDEXES = """
SELECT c.oid::regclass::text, c.relname
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND c.relkind = 'i' AND n.nspname IN ('public', 'baton') ORDER BY 1"""


@dataclass(frozen=True, slots=True)
class LockPolicy:
    """How long to wait for locks, and how often to retry."""

    migrator_timeout_s: float = 60  # to wait for another migrator
    poll_interval_s: float = 0.25
    # Short: while a statement waits for a lock, all queries on the table queue behind it.
    lock_timeout_s: float = 0.5
    # Long: a statement with CONCURRENTLY blocks neither readers nor writers while it waits.
    concurrently_lock_timeout_s: float = 600
    max_attempts: int = 30
    # Long enough for the queries that queued behind the last attempt to finish.
    retry_delay_s: float = 2


DEFAULT_LOCK_POLICY = LockPolicy()


@dataclass(frozen=True, slots=True)
class Migrator:
    conn: Connection
    lock_policy: LockPolicy
    emit: Emit
    dry_run: bool
    progress: list[str] = field(default_factory=list)
    """The last progress message of the current attempt, if any."""

    @asynccontextmanager
    async def advisory_lock(self) -> AsyncIterator[None]:
        """Hold the migrators' lock, and restore the session settings at the end."""
        deadline = time.monotonic() + self.lock_policy.migrator_timeout_s
        # Polling, because a session that waits in pg_advisory_lock() holds a snapshot, and the other
        # migrator's CREATE INDEX CONCURRENTLY would wait for it: a deadlock.
        while not await self.conn.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
            if time.monotonic() > deadline:
                raise MigrationError("Another migrator is still at work; run this again when it is done.")
            await asyncio.sleep(self.lock_policy.poll_interval_s)
        self.conn.add_log_listener(self._on_notice)
        # The backfill tells by it whether another migrator began it (0004_sync.up.sql).
        await self.conn.execute("SELECT set_config('baton.migrator', $1, false)", uuid4().hex)
        # Autovacuum is cancelled after a lock wait of deadlock_timeout, which must be below lock_timeout.
        # Only a superuser may set it; other roles have to wait for the vacuum.
        with suppress(asyncpg.InsufficientPrivilegeError):
            await self.conn.execute("SET deadlock_timeout = '100ms'")
        try:
            yield
        finally:
            self.conn.remove_log_listener(self._on_notice)
            if not self.conn.is_closed():
                await self.conn.execute("RESET lock_timeout; RESET statement_timeout")
                with suppress(asyncpg.InsufficientPrivilegeError):
                    await self.conn.execute("RESET deadlock_timeout")
                await self.conn.execute("SELECT pg_advisory_unlock($1)", LOCK)

    def _on_notice(self, _: object, message: Any) -> None:  # noqa: ANN401 - asyncpg's own
        """Emit progress messages of a migration (RAISE INFO)."""
        if message.severity == "INFO":
            self.progress[:] = [message.message]
            self.emit(message.message)

    async def run(self, steps: list[tuple[Migration, Script]]) -> list[str]:
        """Run the files in order and return the labels of their migrations. A dry run rolls them back."""
        done: list[str] = []
        async with rolled_back(self.conn) if self.dry_run else nullcontext():
            if not await self.conn.fetchval(_HAS_HISTORY):
                await self.conn.execute(_CREATE_HISTORY)
            for n, (migration, script) in enumerate(steps):
                if self.dry_run and not script.in_transaction:
                    self._emit_not_tried(steps[n:], f"{script.file} runs outside a transaction")
                    break
                try:
                    await self._run_with_retries(migration, script)
                except MigrationError:
                    if self.dry_run:
                        self._emit_not_tried(steps[n + 1 :], f"{script.file} failed")
                    raise
                self.emit(f"{script.file}: {'tried and rolled back' if self.dry_run else 'done'}")
                done.append(migration.label)
        return done

    def _emit_not_tried(self, steps: list[tuple[Migration, Script]], reason: str) -> None:
        for _, script in steps:
            self.emit(f"{script.file}: not tried, because {reason}")

    async def _run_with_retries(self, migration: Migration, script: Script) -> None:
        attempt, attempts = 1, self.lock_policy.max_attempts
        while True:
            try:
                return await self._attempt(migration, script)
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
                if attempt >= attempts:
                    raise MigrationError(
                        f"{script.file}: {one_line(error)}, {attempt} times; pg_locks shows who holds it: "
                        "run this again when it is released."
                    ) from error
                self.emit(f"{script.file}: {one_line(error)} (attempt {attempt} of {attempts})")
            except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError) as error:
                raise MigrationError(
                    f"{script.file}: the connection was lost; check the status before you run this again."
                ) from error
            except asyncpg.PostgresError as error:
                raise MigrationError(f"{script.file}: {one_line(error)}.") from error
            # An attempt that made progress does not count.
            attempt = 1 if self.progress else attempt + 1
            self.progress.clear()
            await asyncio.sleep(self.lock_policy.retry_delay_s)

    async def _attempt(self, migration: Migration, script: Script) -> None:
        started = time.monotonic()
        if script.in_transaction:
            async with self.conn.transaction():
                await self._execute(script, script.batches)
                await self._finish(migration, script, time.monotonic() - started)
        else:
            await self._drop_invalid_indexes(script)
            first, *rest = script.batches
            # Together if possible, so that a first statement that fails leaves no mark.
            needs_none = _NEEDS_NO_TRANSACTION.search(mask_literals(first[1]))
            async with nullcontext() if needs_none else self.conn.transaction():
                direction = "up" if script is migration.up else "down"
                await self.conn.execute(_START, *_identity(migration), direction)
                await self._execute(script, [first])
            await self._execute(script, rest)
            if invalid := [address for address, _ in await self.conn.fetch(_INVALID_INDEXES)]:
                raise MigrationError(
                    f"{script.file}: the index {', '.join(invalid)} is not valid; "
                    "drop it (or wait if it is being built) and run this again."
                )
            await self._finish(migration, script, time.monotonic() - started)

    async def _drop_invalid_indexes(self, script: Script) -> None:
        # A failed CREATE INDEX CONCURRENTLY leaves an invalid index, and IF NOT EXISTS would accept it.
        names = {
            n[1:-1] if n[0] == '"' else n.lower() for n in _NEW_INDEX.findall(mask_literals(script.text))
        }
        for address, name in await self.conn.fetch(_INVALID_INDEXES):
            if name in names:
                statement = f"DROP INDEX CONCURRENTLY {address}"
                await self._set_timeouts(statement, script)
                await self.conn.execute(statement)
                self.emit(f"{script.file}: dropped {address}, which an earlier attempt left invalid")

    async def _execute(self, script: Script, batches: Sequence[tuple[int, str]]) -> None:
        for offset, sql in batches:
            await self._set_timeouts(sql, script)
            try:
                if not sql.startswith(f"-- next: {RUN_THE_RESULT}"):
                    await self.conn.execute(sql)
                    continue
                statements = [row[0] for row in await self.conn.fetch(sql)]
            except asyncpg.PostgresError as error:
                if not error.position:
                    raise
                line = script.line(offset + int(error.position) - 1)
                raise MigrationError(f"{line}: {one_line(error)}.") from error
            for statement in statements:
                await self._set_timeouts(statement, script)
                await self.conn.execute(statement)

    async def _set_timeouts(self, sql: str, script: Script) -> None:
        is_concurrent = not script.in_transaction and re.search(
            r"\bconcurrently\b", mask_literals(sql), re.IGNORECASE
        )
        policy = self.lock_policy
        timeout_s = policy.concurrently_lock_timeout_s if is_concurrent else policy.lock_timeout_s
        await self.conn.execute(
            "SELECT set_config('lock_timeout', $1, false), set_config('statement_timeout', '0', false)",
            f"{timeout_s * 1000:.0f}ms",
        )

    async def _finish(self, migration: Migration, script: Script, duration_s: float) -> None:
        if script is migration.up:
            await self.conn.execute(_FINISH, *_identity(migration), duration_s)
        else:
            await self.conn.execute(_FORGET, migration.version)


def _identity(m: Migration) -> tuple[int, str, str, str | None]:
    return m.version, m.name, m.checksum, m.works_with
