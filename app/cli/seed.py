"""python -m app seed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from app.cli.shared import require_schema
from app.db.pool import open_database
from app.demo import load

if TYPE_CHECKING:
    from app.config import Settings


@click.command("seed")
@click.option("--tickets", default=300, show_default=True, help="Number of tickets.")
@click.pass_obj
def command(settings: Settings, tickets: int) -> None:
    """Load demo data, the same each time, into an empty database."""
    asyncio.run(_seed_database(settings.direct_url, tickets))


async def _seed_database(url: str, tickets: int) -> None:
    async with open_database(url, pool_size=1) as db:
        async with db.connection() as conn:
            await require_schema(conn)
        with click.progressbar(length=tickets, label=f"Loading {tickets} tickets") as bar:
            counts = await load.seed(db, tickets=tickets, progress=bar.update)
    click.echo(f"{counts}")
