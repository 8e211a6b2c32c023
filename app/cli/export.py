"""python -m app export."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from app.cli.shared import require_schema
from app.db.connections import TimeLimits
from app.db.pool import open_database
from app.jobs import billing_export
from app.queries import billing

if TYPE_CHECKING:
    from app.config import Settings
    from app.jobs.billing_export import BillingExport

_TIMEOUT_S = 3600


@click.group("export")
def command() -> None:
    """Export data to standard output."""


@command.command("billing")
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


async def _write_bill(settings: Settings, export: BillingExport) -> None:
    """With long timeouts: the reader may be slow, and no other request needs the connection."""
    limits = TimeLimits(statement_s=_TIMEOUT_S, idle_s=_TIMEOUT_S)
    async with (
        open_database(settings.required_database_url, pool_size=1, limits=limits) as db,
        db.transaction(snapshot=True) as tx,
    ):
        await require_schema(tx)
        async for chunk in billing_export.csv_chunks(
            billing.every_line(tx, export.filter), settings.billing_currency, export.separator
        ):
            click.echo(chunk, nl=False)
