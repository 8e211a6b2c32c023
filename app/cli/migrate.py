"""python -m app migrate."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import click

from app.cli.shared import require_schema
from app.db import grants, migrate, shape, sql
from app.db.connections import connect
from app.queries import migration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.config import Settings
    from app.db.connections import Connection
    from app.db.row_readers import UnreadableValue
    from app.queries.migration import ReportLine

T = TypeVar("T")


@click.group("migrate")
def command() -> None:
    """Change the database schema. Only one migration runs at a time."""


_to = click.option("--to", type=int, help="The last migration to apply or to keep, such as 2.")
_dry_run = click.option("--dry-run", is_flag=True, help="Run the migrations and roll them back.")


@command.command("up")
@_to
@_dry_run
@click.pass_obj
def _up(settings: Settings, to: int | None, *, dry_run: bool) -> None:
    """Apply pending migrations."""
    up = partial(migrate.up, folder=sql.MIGRATIONS, to=to, dry_run=dry_run, emit=click.echo)
    _with_connection(settings, up)


@command.command("down")
@_to
@_dry_run
@click.option(
    "--set-aside", is_flag=True, help="Record what does not fit into the old columns, and write what fits."
)
@click.pass_obj
def _down(settings: Settings, to: int | None, *, dry_run: bool, set_aside: bool) -> None:
    """Revert the newest migration, or all after --to."""
    down = partial(
        migrate.down, folder=sql.MIGRATIONS, to=to, dry_run=dry_run, set_aside=set_aside, emit=click.echo
    )
    _with_connection(settings, down)


@command.command("status")
@click.pass_obj
def _status(settings: Settings) -> None:
    """Print applied and pending migrations."""
    status = _with_connection(settings, partial(migrate.status, folder=sql.MIGRATIONS))
    for m in status.applied:
        click.echo(f"applied  {m.label}")
    for m in status.pending:
        click.echo(f"pending  {m.label}")
    for m in status.on_request:
        click.echo(f"waiting  {m.label}: when you are ready, migrate up --to {m.version}")
    for interrupted in status.half_way:
        click.echo(f"half way {interrupted.migration.label}: {interrupted}")
    for newer in status.newer:
        click.echo(f"newer    {newer.label}: works with {newer.works_with or 'newer releases only'}")


@command.command("grant")
@click.argument("role")
@click.pass_obj
def _grant(settings: Settings, role: str) -> None:
    """Grant a role the minimal privileges of the server."""

    async def grant(conn: Connection) -> None:
        await require_schema(conn)
        await grants.grant(conn, role)

    _with_connection(settings, grant)


@command.command("verify")
@click.pass_obj
def _verify(settings: Settings) -> None:
    """Check that the old assignments were migrated, and that every row is readable; exit with 1 otherwise."""

    async def verify(conn: Connection) -> tuple[list[ReportLine], list[UnreadableValue], list[str]]:
        report = await migration.report(conn)
        return report, await migration.unreadable_values(conn), await shape.problems(conn, read_rows=True)

    report, unreadable, problems = _with_connection(settings, verify)
    for line in report:
        result = "" if line.expected is None else "ok" if line.agrees else f"must be {line.expected}"
        click.echo(f"{line.item:<70}{line.counted:>12}  {result}".rstrip())
    for row, row_id, field in unreadable:
        click.echo(f"Unreadable: {field} of {row.lower()} {row_id}")
    for problem in problems:
        click.echo(f"{problem}.")
    sys.exit(1 if unreadable or problems or not all(line.agrees for line in report) else 0)


def _with_connection(settings: Settings, function: Callable[[Connection], Awaitable[T]]) -> T:
    """Run the function on one connection that bypasses the pooler."""

    async def run() -> T:
        async with connect(settings.direct_url) as conn:
            return await function(conn)

    return asyncio.run(run())
