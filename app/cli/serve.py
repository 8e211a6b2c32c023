"""python -m app serve."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import click

from app import config
from app.asgi import create_app, time_limits_for
from app.cli.shared import PORT, require_schema
from app.db.connections import REFUSED_SETTINGS, connect_when_ready
from app.observability import logs
from app.queries import server as server_queries
from app.server import server, supervisor

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from app.config import Settings


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=PORT, default=8000, show_default=True)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of processes that share the port.",
)
@click.option(
    "--own-ports",
    type=PORT,
    help="First of consecutive ports, one for each worker in addition, for metrics scrapers.",
)
@click.pass_obj
def command(settings: Settings, host: str, port: int, workers: int, own_ports: int | None) -> None:
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


async def _require_database(settings: Settings) -> None:
    """Wait for the database. Raises unless it has the schema, and sessions have the settings they need."""
    async with connect_when_ready(
        settings.required_database_url,
        time_limits_for(settings).session_settings,
        pooled=settings.pooled,
        wait_s=settings.database_wait_s,
        emit=lambda text: click.echo(text, err=True),
    ) as conn:
        await require_schema(conn)
        for change in await server_queries.settings_to_change(conn, REFUSED_SETTINGS):
            raise config.SettingsError(change)
