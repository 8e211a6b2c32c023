"""python -m app dev."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from app.cli.shared import PORT
from app.demo import dev

if TYPE_CHECKING:
    from app.config import Settings


@click.command("dev")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=PORT, default=8000, show_default=True)
@click.option(
    "--tickets", default=300, show_default=True, help="Number of demo tickets, if the database is empty."
)
@click.pass_obj
def command(settings: Settings, host: str, port: int, tickets: int) -> None:
    """Run everything on this machine: a private PostgreSQL, schema, demo data and server."""
    dev.run(settings, host, port, tickets)
