"""One command from nothing to a running product: database, schema, demo data, server, sign-in."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from app.asgi import create_app
from app.db import migrate, sql
from app.db.connections import connect
from app.db.migration_files import read
from app.db.pool import open_database
from app.demo import load
from app.demo.embedded_postgres import EmbeddedPostgres
from app.domain.model import Role
from app.http.auth.tokens import DevelopmentTokens
from app.server import server

if TYPE_CHECKING:
    from app.config import Settings

_FIRST_QUERY = "{ tickets(first: 3) { nodes { id ticketNumber currentAssignment { engineer { name } } } } }"
_TOKEN_TTL_S = int(timedelta(hours=12).total_seconds())


def run(settings: Settings, host: str, port: int, tickets: int) -> None:
    """Serve until interrupted; a private PostgreSQL lives exactly as long, its data longer."""
    tokens = DevelopmentTokens(settings.dev_secret)
    with ExitStack() as until_stopped:
        url = settings.database_url or until_stopped.enter_context(EmbeddedPostgres(settings.data_folder))
        # A private database has no old application, so nothing need wait until that is gone.
        to = None if settings.database_url else read(sql.MIGRATIONS)[-1].version
        asyncio.run(_prepare(url, to, tickets))
        _welcome(f"http://{host}:{port}", url, tokens.sign(Role.DISPATCHER, None, ttl_s=_TOKEN_TTL_S))
        server.run(create_app(replace(settings, database_url=url)), host, port)


async def _prepare(url: str, to: int | None, tickets: int) -> None:
    """Bring the schema up to date, and load demo data where there is none."""
    async with connect(url) as conn:
        await migrate.up(conn, sql.MIGRATIONS, to=to, say=click.echo)
    async with open_database(url, pool_size=1) as db:
        if await load.is_empty(db):
            with click.progressbar(length=tickets, label=f"Loading {tickets} demo tickets") as bar:
                await load.seed(db, tickets=tickets, progress=bar.update)


def _welcome(base: str, url: str, token: str) -> None:
    click.echo(f"""
Baton is running.

  Tickets   {base}/
  GraphiQL  {base}/graphiql
  API       {base}/graphql
  Health    {base}/readyz
  Database  {url}
  Sign in   on the pages, by choosing a role; elsewhere with Authorization: Bearer <token>,
            from: python -m app token --role dispatcher

Who holds the newest tickets?

  curl -s {base}/graphql -H 'Content-Type: application/json' \\
    -H 'Authorization: Bearer {token}' \\
    -d '{{"query": "{_FIRST_QUERY}"}}'

Ctrl-C stops it; the data stays.
""")
