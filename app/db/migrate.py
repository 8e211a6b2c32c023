"""Runs migrations: each once, in order, one migrator at a time, and recorded in baton_migrations.

A file runs in one transaction together with its row in baton_migrations. A file that runs outside a
transaction starts from the top again after a failure, so each of its statements must be safe to run twice. A
file that runs on request is skipped unless it is named as the target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.db import names, restoration, row_security, shape
from app.db.migration_files import Migration, MigrationError, read
from app.db.migrator import DEFAULT_LOCK_POLICY, Emit, LockPolicy, Migrator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from app.db.connections import Connection

# A server runs these two often; a named statement leaves the pool's connection clean (app/db/session.py).
_HAS_HISTORY = """/* migrate.has_history */ SELECT 1 FROM pg_class c
WHERE c.oid = to_regclass('public.baton_migrations') AND obj_description(c.oid, 'pg_class') LIKE 'Baton: %'"""
_APPLIED = """/* migrate.applied */ SELECT version, name, checksum FROM public.baton_migrations
WHERE applied_at IS NOT NULL ORDER BY version"""
_STARTED = "/* migrate.started */ SELECT version FROM public.baton_migrations"


@dataclass(frozen=True, slots=True)
class Status:
    """`on_request` are not applied either, but run only if they are the target."""

    applied: list[Migration]
    pending: list[Migration]
    on_request: list[Migration]

    @property
    def problem(self) -> str | None:
        """Why this release cannot use the database, and what to do; None if it can."""
        if not self.pending:
            return None
        return f"Migration {self.pending[0].label} has not been applied: run python -m app migrate up."


async def status(conn: Connection, folder: Path) -> Status:
    """Compare the applied migrations with the files. Raises MigrationError if they do not match."""
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
                "use the release that has it; a database of an unreleased version must be created again."
            )
        if known[version].checksum != checksum:
            raise MigrationError(
                f"{known[version].up.file}: the file was edited after it was applied; restore it and put the "
                "change into a new migration. A database of an unreleased version must be created again."
            )
    applied = [known.pop(version) for version, _, _ in rows]
    pending = [m for m in known.values() if not m.on_request]
    if applied and pending and pending[0].version < applied[-1].version:
        raise MigrationError(
            f"{pending[0].up.file}: it comes before {applied[-1].label}, which is applied; renumber it."
        )
    return Status(applied, pending, on_request=[m for m in known.values() if m.on_request])


async def problem(conn: Connection, migrations: Sequence[Migration]) -> str | None:
    """Return why this release cannot use the database, and what to do; None if it can."""
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
    lock_policy: LockPolicy = DEFAULT_LOCK_POLICY,
    emit: Emit = lambda _: None,
) -> list[str]:
    """Apply pending migrations up to and including `to`, and return the labels of those that ran.

    None as `to` means all, except those that run on request.

    `conn` must be a direct connection (with a pooler, other clients would share the advisory lock) without a
    command timeout. A dry run executes the files in one transaction, which holds their locks until it is
    rolled back.
    """
    migrations = _read_migrations(folder, to)
    migrator = Migrator(conn, lock_policy, emit, dry_run=dry_run)
    async with migrator.advisory_lock(), row_security.all_rows(conn):
        current = await _compare(conn, migrations)
        await _check_database(conn, folder)
        on_request = [] if to is None else current.on_request
        todo = sorted(current.pending + on_request, key=lambda m: m.version)
        return await migrator.run([(m, m.up) for m in todo if to is None or m.version <= to])


async def down(
    conn: Connection,
    folder: Path,
    *,
    to: int | None = None,
    dry_run: bool = False,
    set_aside: bool = False,
    lock_policy: LockPolicy = DEFAULT_LOCK_POLICY,
    emit: Emit = lambda _: None,
) -> list[str]:
    """Undo all migrations after `to`, newest first, as `up` does. None: only the newest; 0: all.

    `set_aside`: see `restoration.problems`.
    """
    migrations = _read_migrations(folder, to)
    migrator = Migrator(conn, lock_policy, emit, dry_run=dry_run)
    async with migrator.advisory_lock(), row_security.all_rows(conn):
        applied = (await _compare(conn, migrations)).applied
        _refuse(
            await names.outside_public(conn)
            + await names.taken(conn, folder, await _started(conn), only_schemas=True)
        )
        undo = applied[-1:] if to is None else [m for m in applied if m.version > to]
        if irreversible := [m.label for m in undo if m.down is None]:
            raise MigrationError(f"{irreversible[-1]}: there is no down file, so nothing was undone.")
        if any(m.on_request for m in undo):
            _refuse(await restoration.problems(conn, set_aside=set_aside))
        return await migrator.run([(m, m.down) for m in reversed(undo) if m.down])


async def _check_database(conn: Connection, folder: Path) -> None:
    """Raises MigrationError with everything that is in the way."""
    started = await _started(conn)
    _refuse(
        await names.outside_public(conn)
        + await shape.problems(conn, must_own=True, read_rows=not started - {0})
        + await names.taken(conn, folder, started, only_schemas=False)
    )


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        reasons = "".join(f"\n- {problem}." for problem in problems) if problems[1:] else f"{problems[0]}."
        raise MigrationError(f"Nothing was changed, because {reasons}")


async def _started(conn: Connection) -> set[int]:
    """Return the versions that own their names: applied, or started and interrupted. 0: the history."""
    if not await conn.fetch(_HAS_HISTORY):
        return set()
    return {0} | {row[0] for row in await conn.fetch(_STARTED)}


def _read_migrations(folder: Path, to: int | None) -> list[Migration]:
    migrations = read(folder)
    if to and to not in {m.version for m in migrations}:
        raise MigrationError(f"There is no migration {to:04}; the last one is {migrations[-1].label}.")
    return migrations
