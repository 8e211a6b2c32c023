"""The command line: parses, calls one function, and says errors in one sentence."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from app import config, doctor
from app.asgi import create_app
from app.db import grants, migrate, sql
from app.db.connections import TimeLimits, connect, connect_when_ready
from app.db.errors import Unavailable
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
from app.server import server
from app.server import supervisor as several

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from app.config import Settings
    from app.queries.billing import BillingFilter

_LONGEST_EXPORT_S = 3600
_OUR_ERRORS = (
    config.SettingsError,
    EmbeddedPostgresError,
    InvalidInput,
    MigrationError,
    load.NotEmpty,
    several.PortTaken,
)


def main() -> None:
    """Run a command; a known error is one line on stderr and exit code 1."""
    try:
        commands(prog_name="python -m app")
    except _OUR_ERRORS as error:
        sys.exit(f"Error: {error}")
    except Unavailable as error:
        sys.exit(f"Error: DATABASE_URL: the database does not answer ({error.__cause__ or 'timed out'}).")


@click.group()
@click.pass_context
def commands(context: click.Context) -> None:
    """Baton, the system of record for who holds a service ticket."""
    context.obj = config.load()
    logs.set_up(production=context.obj.production)


@commands.command("dev")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.option("--tickets", default=300, show_default=True, help="Demo tickets for an empty database.")
@click.pass_obj
def _dev(settings: Settings, host: str, port: int, tickets: int) -> None:
    """Run everything on this machine: private PostgreSQL, schema, demo data, server."""
    dev.run(settings, host, port, tickets)


@commands.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.option(
    "--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes on the port."
)
@click.option(
    "--own-ports",
    type=click.IntRange(1),
    help="Each worker also answers on a port of its own, from this one upwards: for scrapers.",
)
@click.pass_obj
def _serve(settings: Settings, host: str, port: int, workers: int, own_ports: int | None) -> None:
    """Serve the API; needs DATABASE_URL, and a schema that is this code's."""
    app = create_app(settings)
    asyncio.run(_refuse_other_schema(settings.required_database_url, settings.database_wait_s))
    if workers == 1 and own_ports is None:
        server.run(app, host, port, drain_s=settings.shutdown_drain_s)
    else:
        own = [None if own_ports is None else own_ports + n for n in range(workers)]
        several.run(partial(_work, settings), host, port, own)


def _work(settings: Settings, sockets: Sequence[socket.socket]) -> None:
    """As one of several workers."""
    logs.set_up(production=settings.production)
    server.run(create_app(settings), "", 0, drain_s=settings.shutdown_drain_s, sockets=sockets)


@commands.command("seed")
@click.option("--tickets", default=300, show_default=True, help="How many tickets.")
@click.pass_obj
def _seed(settings: Settings, tickets: int) -> None:
    """Load demo data into an empty database, always the same."""
    asyncio.run(_seed_database(settings.direct_url, tickets))


@commands.command("token")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.option("--engineer", help="The engineer's id; with --role engineer.")
@click.option("--ttl", default=3600, show_default=True, help="Seconds until it expires.")
@click.pass_obj
def _token(settings: Settings, role: str, engineer: str | None, ttl: int) -> None:
    """Print a bearer token for development."""
    engineer_id = None if engineer is None else values.engineer_id("--engineer", engineer)
    if (role == Role.ENGINEER) != (engineer_id is not None):
        raise click.UsageError("--engineer goes with --role engineer, and the other way round.")
    click.echo(DevelopmentTokens(settings.dev_secret).sign(Role(role), engineer_id, ttl_s=ttl))


@commands.command("schema")
def _schema() -> None:
    """Print the GraphQL schema."""
    click.echo(sdl(), nl=False)


@commands.command("doctor")
@click.pass_obj
def _doctor(settings: Settings) -> None:
    """Check settings, database, schema, time and extensions, and say what to do."""
    sys.exit(asyncio.run(doctor.examine(settings, say=click.echo)))


@commands.group("export")
def _export() -> None:
    """Write what others go on with to standard output."""


@_export.command("billing")
@click.option("--from", "start", required=True, help="The first moment; a date is its midnight in UTC.")
@click.option("--to", "until", required=True, help="The first moment after, a year later at most.")
@click.option("--customer", help="Only tickets of the customer with exactly this name.")
@click.option("--ticket", help="Only this ticket, by its id.")
@click.pass_obj
def _export_billing(
    settings: Settings, start: str, until: str, customer: str | None, ticket: str | None
) -> None:
    """Hours and parts of work that ended in a period, and what they cost, as CSV."""
    wanted = billing_export.parse_filter(start, until, customer, ticket)
    asyncio.run(_write_bill(settings, wanted))


@commands.command("retain")
@click.option("--dry-run", is_flag=True, help="Only say what would be dropped.")
@click.pass_obj
def _retain(settings: Settings, *, dry_run: bool) -> None:
    """Drop the months of events that are older than EVENTS_KEPT_MONTHS; as the owner of the tables."""
    if not settings.events_kept_months:
        raise config.SettingsError("EVENTS_KEPT_MONTHS must be set to drop events; unset, all are kept.")

    async def run() -> None:
        async with open_database(settings.direct_url, pool_size=1) as db:
            await retention.retain(db, settings.events_kept_months, dry_run=dry_run, emit=click.echo)

    asyncio.run(run())


@commands.group("migrate")
def _migrate() -> None:
    """Change the schema, one migrator at a time."""


_to = click.option("--to", type=int, help="The migration to end at, such as 2.")
_dry_run = click.option("--dry-run", is_flag=True, help="Try it and roll it back.")


@_migrate.command("up")
@_to
@_dry_run
@click.pass_obj
def _up(settings: Settings, to: int | None, *, dry_run: bool) -> None:
    """Apply what is pending."""

    async def run() -> None:
        async with connect(settings.direct_url) as conn:
            done = await migrate.up(conn, sql.MIGRATIONS, to=to, dry_run=dry_run, emit=click.echo)
        if not done:
            click.echo("Nothing is pending.")

    asyncio.run(run())


@_migrate.command("down")
@_to
@_dry_run
@click.pass_obj
def _down(settings: Settings, to: int | None, *, dry_run: bool) -> None:
    """Undo the newest migration, or all that come after --to."""

    async def run() -> None:
        async with connect(settings.direct_url) as conn:
            done = await migrate.down(conn, sql.MIGRATIONS, to=to, dry_run=dry_run, emit=click.echo)
        if not done:
            click.echo("Nothing is applied.")

    asyncio.run(run())


@_migrate.command("status")
@click.pass_obj
def _status(settings: Settings) -> None:
    """Say what is applied and what is pending."""

    async def run() -> None:
        async with connect(settings.direct_url) as conn:
            found = await migrate.status(conn, sql.MIGRATIONS)
        for m in found.applied:
            click.echo(f"applied  {m.label}")
        for m in found.pending:
            click.echo(f"pending  {m.label}")
        for m in found.on_request:
            click.echo(f"waiting  {m.label}: when you are ready, migrate up --to {m.version}")

    asyncio.run(run())


@_migrate.command("grant")
@click.argument("role")
@click.pass_obj
def _grant(settings: Settings, role: str) -> None:
    """Give the server's role what it needs, and no more."""

    async def run() -> None:
        async with connect(settings.direct_url) as conn:
            await grants.grant(conn, role)

    asyncio.run(run())


@_migrate.command("verify")
@click.pass_obj
def _verify(settings: Settings) -> None:
    """Say what became of every old assignment; exit 1 when the counts do not add up."""

    async def run() -> bool:
        async with connect(settings.direct_url) as conn:
            report = await migration.report(conn)
        for line in report:
            verdict = "" if line.expected is None else "ok" if line.agrees else f"must be {line.expected}"
            click.echo(f"{line.item:<70}{line.counted:>12}  {verdict}".rstrip())
        return all(line.agrees for line in report)

    sys.exit(0 if asyncio.run(run()) else 1)


async def _write_bill(settings: Settings, wanted: BillingFilter) -> None:
    """In no hurry: whoever reads it may take a while, and nobody else waits for the connection."""
    limits = TimeLimits(statement_s=_LONGEST_EXPORT_S, idle_s=_LONGEST_EXPORT_S)
    async with (
        open_database(settings.required_database_url, pool_size=1, limits=limits) as db,
        db.transaction(snapshot=True) as tx,
    ):
        async for piece in billing_export.csv_chunks(
            billing.every_line(tx, wanted), settings.billing_currency
        ):
            click.echo(piece, nl=False)


async def _refuse_other_schema(url: str, wait_s: int) -> None:
    async with connect_when_ready(url, wait_s, emit=lambda text: click.echo(text, err=True)) as conn:
        problem = await migrate.problem(conn, read(sql.MIGRATIONS))
    if problem is not None:
        raise MigrationError(problem)


async def _seed_database(url: str, tickets: int) -> None:
    async with open_database(url, pool_size=1) as db:
        with click.progressbar(length=tickets, label=f"Loading {tickets} tickets") as bar:
            counts = await load.seed(db, tickets=tickets, progress=bar.update)
    click.echo(f"{counts}")
