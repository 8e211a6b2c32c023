"""python -m app retain."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from app import config
from app.cli.shared import require_schema
from app.db.pool import open_database
from app.jobs import retention

if TYPE_CHECKING:
    from app.config import Settings


@click.command("retain")
@click.option("--dry-run", is_flag=True, help="Only print what would be dropped.")
@click.pass_obj
def command(settings: Settings, *, dry_run: bool) -> None:
    """Drop event partitions older than EVENTS_KEPT_MONTHS. Needs the owner of the tables."""
    if not settings.events_kept_months:
        raise config.SettingsError(
            "EVENTS_KEPT_MONTHS must be set to drop events; if unset, all events are kept."
        )

    async def run() -> None:
        async with open_database(settings.direct_url, pool_size=1) as db:
            async with db.connection() as conn:
                await require_schema(conn)
            await retention.retain(db, settings.events_kept_months, dry_run=dry_run, emit=click.echo)

    asyncio.run(run())
