"""Runs migrations: each once, in order, one migrator at a time, and recorded in baton_migrations.

A file runs in one transaction together with its row in baton_migrations. A file that runs outside a
transaction is marked as half way up or down until it ends, and starts from the top again: each of its
statements must be safe to run twice, and after any statement of the file for the other direction. A file that
runs on request is skipped unless it is named as the target.

A server works on the schema of a newer release if every migration that it does not know says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib.metadata import version as installed_version
from typing import TYPE_CHECKING, Any

from app.config import this_command
from app.db import names, restoration, row_security, shape, survey
from app.db.migration_files import Migration, MigrationError, read
from app.db.migrator import DEFAULT_LOCK_POLICY, Emit, LockPolicy, Migrator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from app.db.connections import Connection

RELEASE = installed_version("baton")

# A server runs these two often; a named statement leaves the pool's connection clean (app/db/session.py).
_HAS_HISTORY = """/* migrate.has_history */ SELECT 1 FROM pg_class c
WHERE c.oid = to_regclass('public.baton_migrations') AND obj_description(c.oid, 'pg_class') LIKE 'Baton: %'"""
# As JSON, because the table of another release may lack a column.
_HISTORY = """/* migrate.history */ SELECT m.version, m.name, m.checksum,
    to_jsonb(m) ->> 'half_way' AS half_way, to_jsonb(m) ->> 'works_with' AS works_with
FROM public.baton_migrations m
WHERE m.applied_at IS NOT NULL OR to_jsonb(m) ->> 'half_way' IS NOT NULL ORDER BY m.version"""
_STARTED = "/* migrate.started */ SELECT version FROM public.baton_migrations"


@dataclass(frozen=True, slots=True)
class HalfWay:
    """A migration that was interrupted; if it runs on request, servers work half way up, too."""

    migration: Migration
    direction: str
    """up, or down."""

    def __str__(self) -> str:
        return (
            f"Migration {self.migration.label} is half way {self.direction}: run {this_command()} migrate up "
            f"to apply it, or {this_command()} migrate down to undo it."
        )

    @property
    def is_usable(self) -> bool:
        return self.direction == "up" and self.migration.on_request


@dataclass(frozen=True, slots=True)
class NewerMigration:
    """A migration in the database that this release does not know."""

    label: str
    works_with: str | None
    """The oldest release that works with it; None if it does not say."""

    def __str__(self) -> str:
        advice = (
            f"use release {self.works_with} or newer"
            if self.works_with
            else "use the release that has it; a database of an unreleased version must be created again"
        )
        return f"The database has migration {self.label}, which this release does not know: {advice}."

    @property
    def is_usable(self) -> bool:
        return self.works_with is not None and _numbers(self.works_with) <= _numbers(RELEASE)


@dataclass(frozen=True, slots=True)
class Status:
    """`on_request` are not applied either, but run only if they are the target."""

    applied: list[Migration]
    pending: list[Migration]
    on_request: list[Migration]
    half_way: list[HalfWay] = field(default_factory=list)
    """One at most, as each run begins with it."""
    newer: list[NewerMigration] = field(default_factory=list)

    @property
    def problem(self) -> str | None:
        """Why this release cannot use the database, and what to do; None if it can."""
        unusable = [str(m) for m in self.newer if not m.is_usable]
        unusable += [str(m) for m in self.half_way if not m.is_usable]
        if unusable:
            return unusable[0]
        if not self.pending:
            return None
        return f"Migration {self.pending[0].label} has not been applied: run {this_command()} migrate up."


async def status(conn: Connection, folder: Path) -> Status:
    """Compare the database with the files. Raises MigrationError if they do not match."""
    return await _compare(conn, read(folder))


async def _compare(conn: Connection, migrations: Sequence[Migration]) -> Status:
    rows: list[Any] = []
    if await conn.fetch(_HAS_HISTORY):
        rows = await conn.fetch(_HISTORY)
    known = {m.version: m for m in migrations}
    applied, half_way, newer = [], [], []
    for version, name, checksum, direction, works_with in rows:
        if version not in known:
            newer.append(NewerMigration(f"{version:04}_{name}", works_with))
        elif direction:
            half_way.append(HalfWay(known.pop(version), direction))
        elif known[version].checksum == checksum:
            applied.append(known.pop(version))
        else:
            raise MigrationError(
                f"{known[version].up.file}: the file was edited after it was applied. If an unreleased "
                f"version made the database, drop and create it, and run {this_command()} migrate up; for "
                "dev, delete DATA_DIR (.data). Otherwise restore the file, and put the change into a new "
                "migration."
            )
    pending = [m for m in known.values() if not m.on_request]
    if applied and pending and pending[0].version < applied[-1].version:
        raise MigrationError(
            f"{pending[0].up.file}: it comes before {applied[-1].label}, which is applied; renumber it."
        )
    on_request = [m for m in known.values() if m.on_request]
    return Status(applied, pending, on_request, half_way, newer)


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
        current = await _compare_to_migrate(conn, migrations)
        await _check_database(conn, folder)
        on_request = [] if to is None else current.on_request
        todo = sorted(current.pending + on_request, key=lambda m: m.version)
        interrupted = _to_finish(current, lambda version: to is None or version <= to)
        steps = interrupted + [m for m in todo if to is None or m.version <= to]
        if not steps:
            emit("Nothing is pending.")
        await survey.emit_unreadable(conn, steps, emit)
        return await migrator.run([(m, m.up) for m in steps])


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
        current = await _compare_to_migrate(conn, migrations)
        _refuse(
            await names.outside_public(conn)
            + await names.taken(conn, folder, await _started(conn), only_schemas=True)
        )
        interrupted = _to_finish(current, lambda version: to is None or version > to)
        newest = current.applied[::-1]
        last = newest[: not interrupted]
        undo = interrupted + (last if to is None else [m for m in newest if m.version > to])
        if irreversible := [m.label for m in undo if m.down is None]:
            raise MigrationError(f"{irreversible[0]}: there is no down file, so nothing was undone.")
        if not undo:
            emit("Nothing is applied.")
        if any(m.on_request for m in undo):
            _refuse(await restoration.problems(conn, set_aside=set_aside))
        return await migrator.run([(m, m.down) for m in undo if m.down])


async def _compare_to_migrate(conn: Connection, migrations: Sequence[Migration]) -> Status:
    """Raises MigrationError also if there is a migration of a newer release."""
    current = await _compare(conn, migrations)
    if current.newer:
        raise MigrationError(str(current.newer[0]))
    return current


def _to_finish(current: Status, is_included: Callable[[int], bool]) -> list[Migration]:
    """Return the interrupted migrations. Raises MigrationError if the target leaves one as it is."""
    for interrupted in current.half_way:
        if not is_included(interrupted.migration.version):
            raise MigrationError(str(interrupted))
    return [interrupted.migration for interrupted in current.half_way]


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


def _numbers(release: str) -> tuple[int, ...]:
    """Return the numbers by which releases are ordered: major and minor."""
    return tuple(int(number) for number in re.findall(r"\d+", release)[:2])
