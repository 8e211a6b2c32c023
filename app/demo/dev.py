"""The `dev` command: starts everything on one machine, with database, schema, demo data and sign-in."""

from __future__ import annotations

import asyncio
import re
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import click

from app.asgi import create_app
from app.config import this_command
from app.db import migrate, sql
from app.db.connections import connect
from app.db.migration_files import read
from app.db.pool import open_database
from app.demo import load
from app.demo.embedded_postgres import EmbeddedPostgres
from app.domain.model import Role
from app.http.auth.tokens import DevelopmentTokens
from app.server import server, supervisor
from app.server.graceful_shutdown import address_of

if TYPE_CHECKING:
    from app.config import Settings

_FIRST_QUERY = "{ tickets(first: 3) { nodes { id ticketNumber currentAssignment { engineer { name } } } } }"
_TOKEN_TTL_S = int(timedelta(hours=12).total_seconds())


def run(settings: Settings, host: str, port: int, tickets: int) -> None:
    """Serve until interrupted. Without a database URL, run an embedded PostgreSQL, which keeps its data."""
    tokens = DevelopmentTokens(settings.dev_secret)
    with ExitStack() as stack:
        bound = stack.enter_context(supervisor.bind(host, port))
        url = settings.database_url or stack.enter_context(EmbeddedPostgres(settings.data_folder))
        # No old application uses an embedded database, so migrations on request run, too.
        to = None if settings.database_url else read(sql.MIGRATIONS)[-1].version
        asyncio.run(_prepare(url, to, tickets))
        shown_url = re.sub(r"(//[^:@]*):[^@]*@", r"\1@", url)  # without the password
        token = tokens.sign(Role.DISPATCHER, None, ttl_s=_TOKEN_TTL_S)
        print_welcome = partial(_print_welcome, address_of(bound), shown_url, token)
        server.run(create_app(replace(settings, database_url=url)), [bound], on_start=print_welcome)


async def _prepare(url: str, to: int | None, tickets: int) -> None:
    """Migrate, and load demo data into an empty database."""
    async with connect(url) as conn:
        await migrate.up(conn, sql.MIGRATIONS, to=to, emit=click.echo)
    async with open_database(url, pool_size=1) as db:
        if await load.is_empty(db):
            with click.progressbar(length=tickets, label=f"Loading {tickets} demo tickets") as bar:
                await load.seed(db, tickets=tickets, progress=bar.update)


def _print_welcome(base: str, url: str, token: str) -> None:
    click.echo(f"""
Baton is running.

  Tickets   {base}/
  GraphiQL  {base}/graphiql
  API       {base}/graphql
  Health    {base}/readyz
  Database  {url}
  Sign in   on the pages, by choosing a role; elsewhere with Authorization: Bearer <token>,
            from: {this_command()} token --role dispatcher

Try it: the newest tickets and their engineers.

  curl -s {base}/graphql -H 'Content-Type: application/json' \\
    -H 'Authorization: Bearer {token}' \\
    -d '{{"query": "{_FIRST_QUERY}"}}'

Press Ctrl-C to stop. The data is kept.
""")
