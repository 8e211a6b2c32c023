"""Executes migration files under the migrators' lock, with retries while tables are locked."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from app.db.connections import Connection
from app.db.errors import one_line
from app.db.migration_files import RUN_THE_RESULT, Migration, MigrationError, Script, mask_literals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

Emit: TypeAlias = "Callable[[str], object]"

LOCK = 7_301_112_024_001  # The advisory lock of migrators; an arbitrary number.

_NEW_INDEX = re.compile(
    r'\bindex\s+concurrently\s+(?:if\s+not\s+exists\s+)?(?:[^\s(]+\.)?("[^"]+"|[\w$]+)', re.IGNORECASE
)
_HAS_HISTORY = "SELECT to_regclass('public.baton_migrations') IS NOT NULL"
_CREATE_HISTORY = """
CREATE TABLE public.baton_migrations (
    version int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
    applied_at timestamptz, duration_seconds float8);
COMMENT ON TABLE public.baton_migrations IS 'Baton: applied migrations; without a time, only started.'"""
_START = """
INSERT INTO public.baton_migrations (version, name, checksum) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"""
_RECORD = """
INSERT INTO public.baton_migrations (version, name, checksum, applied_at, duration_seconds)
VALUES ($1, $2, $3, now(), $4)"""
_FINISH = """
UPDATE public.baton_migrations
SET name = $2, checksum = $3, applied_at = now(), duration_seconds = $4
WHERE version = $1"""
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
        async with _rollback_at_end(self.conn) if self.dry_run else nullcontext():
            if not await self.conn.fetchval(_HAS_HISTORY):
                await self.conn.execute(_CREATE_HISTORY)
            for migration, script in steps:
                if self.dry_run and not script.in_transaction:
                    for _, skipped in steps[len(done) :]:
                        self.emit(
                            f"{skipped.file}: not tried, because {script.file} runs outside a transaction"
                        )
                    break
                await self._run_with_retries(migration, script)
                self.emit(f"{script.file}: {'tried and rolled back' if self.dry_run else 'done'}")
                done.append(migration.label)
        return done

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
                await self._execute(script)
                await self._record(migration, script, time.monotonic() - started)
        else:
            if script is migration.up:
                await self.conn.execute(_START, migration.version, migration.name, migration.checksum)
            await self._drop_invalid_indexes(script)
            await self._execute(script)
            if invalid := [address for address, _ in await self.conn.fetch(_INVALID_INDEXES)]:
                raise MigrationError(
                    f"{script.file}: the index {', '.join(invalid)} is not valid; "
                    "drop it (or wait if it is being built) and run this again."
                )
            await self._record(migration, script, time.monotonic() - started)

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

    async def _execute(self, script: Script) -> None:
        for offset, sql in script.batches:
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

    async def _record(self, m: Migration, script: Script, duration_s: float) -> None:
        if script is m.up:
            statement = _RECORD if script.in_transaction else _FINISH
            await self.conn.execute(statement, m.version, m.name, m.checksum, duration_s)
        else:
            await self.conn.execute(_FORGET, m.version)


@asynccontextmanager
async def _rollback_at_end(conn: Connection) -> AsyncIterator[None]:
    transaction = conn.transaction()
    await transaction.start()
    try:
        yield
    finally:
        if not conn.is_closed():
            await transaction.rollback()
