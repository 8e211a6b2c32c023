"""The command line: each command parses its options and calls one function."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import click

from app import config, doctor
from app.asgi import create_app, time_limits_for
from app.db import grants, migrate, shape, sql
from app.db.connections import REFUSED_SETTINGS, TimeLimits, connect, connect_when_ready
from app.db.errors import DRIVER_ERRORS, Unavailable, one_line
from app.db.migration_files import MigrationError, read
from app.db.pool import open_database
from app.demo import dev, load
from app.demo.embedded_postgres import EmbeddedPostgresError
from app.domain import values
from app.domain.errors import InvalidInput
from app.domain.model import Role
from app.graphql.schema import sdl
from app.http.auth.tokens import DevelopmentTokens
from app.jobs import billing_export, retention
from app.observability import logs
from app.queries import billing, migration
from app.queries import server as server_queries
from app.server import server, supervisor

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Sequence

    from app.config import Settings
    from app.db.connections import Connection
    from app.db.sql import UnreadableValue
    from app.jobs.billing_export import BillingExport
    from app.queries.migration import ReportLine

T = TypeVar("T")
_EXPORT_TIMEOUT_S = 3600
_PORT = click.IntRange(0, 65535)
_EXPECTED_ERRORS = (
    config.SettingsError,
    EmbeddedPostgresError,
    InvalidInput,
    MigrationError,
    load.NotEmpty,
    supervisor.PortTaken,
)


def main() -> None:
    """Run a command; an expected error is one line on stderr and exit code 1."""
    try:
        commands(prog_name="python -m app")
    except _EXPECTED_ERRORS as error:
        sys.exit(f"Error: {error}")
    except Unavailable as error:
        cause = one_line(error.__cause__) if isinstance(error.__cause__, Exception) else ""
        sys.exit(f"Error: DATABASE_URL: the database does not answer ({cause or 'timed out'}).")
    except DRIVER_ERRORS as error:
        sys.exit(f"Error: the database refused this to the role of DATABASE_URL: {one_line(error)}.")
    except OSError as error:
        sys.exit(f"Error: {one_line(error)}.")


@click.group()
@click.pass_context
def commands(context: click.Context) -> None:
    """Baton, the system of record for service ticket assignments."""
    context.obj = config.load()
    logs.set_up(production=context.obj.production)


@commands.command("dev")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=_PORT, default=8000, show_default=True)
@click.option(
    "--tickets", default=300, show_default=True, help="Number of demo tickets, if the database is empty."
)
@click.pass_obj
def _dev(settings: Settings, host: str, port: int, tickets: int) -> None:
    """Run everything on this machine: a private PostgreSQL, schema, demo data and server."""
    dev.run(settings, host, port, tickets)


@commands.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=_PORT, default=8000, show_default=True)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of processes that share the port.",
)
@click.option(
    "--own-ports",
    type=_PORT,
    help="First of consecutive ports, one for each worker in addition, for metrics scrapers.",
)
@click.pass_obj
def _serve(settings: Settings, host: str, port: int, workers: int, own_ports: int | None) -> None:
    """Serve the API and the web pages. Needs DATABASE_URL and a migrated database."""
    app = create_app(settings)
    asyncio.run(_require_database(settings))
    if workers == 1 and own_ports is None:
        server.run(app, [supervisor.bind(host, port)], drain_s=settings.shutdown_drain_s)
    else:
        own = [None if own_ports is None else own_ports + n for n in range(workers)]
        supervisor.run(partial(_serve_as_worker, settings), host, port, own)


def _serve_as_worker(settings: Settings, sockets: Sequence[socket.socket]) -> None:
    logs.set_up(production=settings.production)
    server.run(create_app(settings), sockets, drain_s=settings.shutdown_drain_s)


@commands.command("seed")
@click.option("--tickets", default=300, show_default=True, help="Number of tickets.")
@click.pass_obj
def _seed(settings: Settings, tickets: int) -> None:
    """Load demo data, the same each time, into an empty database."""
    asyncio.run(_seed_database(settings.direct_url, tickets))


@commands.command("token")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.option("--engineer", help="The engineer's id; required for --role engineer.")
@click.option("--ttl", default=3600, show_default=True, help="Seconds until it expires.")
@click.pass_obj
def _token(settings: Settings, role: str, engineer: str | None, ttl: int) -> None:
    """Print a bearer token for development."""
    engineer_id = None if engineer is None else values.engineer_id("--engineer", engineer)
    if (role == Role.ENGINEER) != (engineer_id is not None):
        raise click.UsageError("--engineer is required for --role engineer, and allowed for no other role.")
    click.echo(DevelopmentTokens(settings.dev_secret).sign(Role(role), engineer_id, ttl_s=ttl))


@commands.command("schema")
def _schema() -> None:
    """Print the GraphQL schema."""
    click.echo(sdl(), nl=False)


@commands.command("doctor")
@click.option("--deep", is_flag=True, help="Also read every ticket and assignment.")
@click.pass_obj
def _doctor(settings: Settings, *, deep: bool) -> None:
    """Check settings, sign-in and database, and print what to fix."""
    sys.exit(asyncio.run(doctor.examine(settings, emit=click.echo, deep=deep)))


@commands.group("export")
def _export() -> None:
    """Export data to standard output."""


@_export.command("billing")
@click.option("--from", "start", required=True, help="Start of the period; a date means midnight in UTC.")
@click.option("--to", "until", required=True, help="End of the period, exclusive; at most a year later.")
@click.option("--customer", help="Only tickets of the customer with this exact name.")
@click.option("--ticket", help="Only the ticket with this id.")
@click.option(
    "--separator",
    type=click.Choice(billing_export.SEPARATORS),
    default=billing_export.SEPARATORS[0],
    show_default=True,
    help="Separator of columns.",
)
@click.pass_obj
def _export_billing(
    settings: Settings, *, start: str, until: str, customer: str | None, ticket: str | None, separator: str
) -> None:
    """Export the hours, parts and cost of work that ended in a period, as CSV."""
    export = billing_export.parse_export(start, until, customer, ticket, separator)
    asyncio.run(_write_bill(settings, export))


@commands.command("retain")
@click.option("--dry-run", is_flag=True, help="Only print what would be dropped.")
@click.pass_obj
def _retain(settings: Settings, *, dry_run: bool) -> None:
    """Drop event partitions older than EVENTS_KEPT_MONTHS. Needs the owner of the tables."""
    if not settings.events_kept_months:
        raise config.SettingsError(
            "EVENTS_KEPT_MONTHS must be set to drop events; if unset, all events are kept."
        )

    async def run() -> None:
        async with open_database(settings.direct_url, pool_size=1) as db:
            async with db.connection() as conn:
                await _require_schema(conn)
            await retention.retain(db, settings.events_kept_months, dry_run=dry_run, emit=click.echo)

    asyncio.run(run())


@commands.group("migrate")
def _migrate() -> None:
    """Change the database schema. Only one migration runs at a time."""


_to = click.option("--to", type=int, help="The last migration to apply or to keep, such as 2.")
_dry_run = click.option("--dry-run", is_flag=True, help="Run the migrations and roll them back.")


@_migrate.command("up")
@_to
@_dry_run
@click.pass_obj
def _up(settings: Settings, to: int | None, *, dry_run: bool) -> None:
    """Apply pending migrations."""
    up = partial(migrate.up, folder=sql.MIGRATIONS, to=to, dry_run=dry_run, emit=click.echo)
    _with_connection(settings, up)


@_migrate.command("down")
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


@_migrate.command("status")
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


@_migrate.command("grant")
@click.argument("role")
@click.pass_obj
def _grant(settings: Settings, role: str) -> None:
    """Grant a role the minimal privileges of the server."""

    async def grant(conn: Connection) -> None:
        await _require_schema(conn)
        await grants.grant(conn, role)

    _with_connection(settings, grant)


@_migrate.command("verify")
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


async def _write_bill(settings: Settings, export: BillingExport) -> None:
    """With long timeouts: the reader may be slow, and no other request needs the connection."""
    limits = TimeLimits(statement_s=_EXPORT_TIMEOUT_S, idle_s=_EXPORT_TIMEOUT_S)
    async with (
        open_database(settings.required_database_url, pool_size=1, limits=limits) as db,
        db.transaction(snapshot=True) as tx,
    ):
        await _require_schema(tx)
        async for chunk in billing_export.csv_chunks(
            billing.every_line(tx, export.filter), settings.billing_currency, export.separator
        ):
            click.echo(chunk, nl=False)


async def _require_database(settings: Settings) -> None:
    """Wait for the database. Raises unless it has the schema, and sessions have the settings they need."""
    async with connect_when_ready(
        settings.required_database_url,
        time_limits_for(settings).session_settings,
        pooled=settings.pooled,
        wait_s=settings.database_wait_s,
        emit=lambda text: click.echo(text, err=True),
    ) as conn:
        await _require_schema(conn)
        for change in await server_queries.settings_to_change(conn, REFUSED_SETTINGS):
            raise config.SettingsError(change)


async def _require_schema(conn: Connection) -> None:
    if problem := await migrate.problem(conn, read(sql.MIGRATIONS)):
        raise MigrationError(problem)


async def _seed_database(url: str, tickets: int) -> None:
    async with open_database(url, pool_size=1) as db:
        async with db.connection() as conn:
            await _require_schema(conn)
        with click.progressbar(length=tickets, label=f"Loading {tickets} tickets") as bar:
            counts = await load.seed(db, tickets=tickets, progress=bar.update)
    click.echo(f"{counts}")
