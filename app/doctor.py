"""Checks settings, sign-in and database, and suggests what to fix."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from app.asgi import documents_for, time_limits_for
from app.config import SettingsError, this_command
from app.db import grants, migrate, names, shape, sql
from app.db.connections import REQUIRED_SETTINGS, connect, role_settings
from app.db.errors import DRIVER_ERRORS, Unavailable, one_line
from app.db.migration_files import MigrationError, read
from app.graphql.admission.limits import Limits
from app.http.auth import jwks
from app.http.routes import pages
from app.jobs import retention
from app.queries import migration, partitions, server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from app.config import Settings
    from app.db.connections import Connection

    Emit: TypeAlias = Callable[[str], object]
    Problems: TypeAlias = AsyncIterator[str]
    """What to fix, one sentence each."""

_MIN_VERSION = 150000
_MAX_CLOCK_DIFFERENCE_S = 5
_WRITABLE = {"default_transaction_read_only": "off"}
_NOT_SERVED = ("seed.", "migration.", "partitions.drop_events")
"""Statements of commands that run as the owner of the tables."""
_SECRETS = ("secret", "token", "url", "urls")


async def examine(settings: Settings, *, emit: Emit, deep: bool = False) -> int:
    """Print settings, limits and the result of each check. Returns 1 if there are problems, else 0.

    With `deep`, read every row of the tables, too.
    """
    emit("Settings")
    for setting in fields(settings):
        value = _printable(setting.name, getattr(settings, setting.name))
        emit(f"  {setting.name.upper()} = {value}\n      {setting.metadata['description']}")
    emit("Limits")
    for limit in fields(Limits):
        emit(f"  {limit.name} = {limit.default}\n      {limit.metadata['description']}")
    count = 0
    for title, check in (
        ("Clients", check_clients),
        ("Sign-in", check_sign_in),
        ("Database", partial(check_database, deep=deep)),
    ):
        emit(title)
        async for problem in check(settings, emit):
            emit(f"  !! {problem}")
            count += 1
    emit("No problems." if not count else f"Problems: {count}.")
    return min(count, 1)


async def check_clients(settings: Settings, emit: Emit) -> Problems:
    emit(f"  The web pages are {'installed' if pages.are_built() else 'not part of this installation'}")
    try:
        emit(f"  Allowed hosts: {', '.join(settings.served_hosts)}")
        documents = documents_for(settings)
        emit(
            f"  {len(documents.texts)} documents are trusted{', and no others run' if documents.only else ''}"
        )
    except SettingsError as error:
        yield str(error)


async def check_sign_in(settings: Settings, emit: Emit) -> Problems:
    try:
        if not settings.has_identity_provider:
            emit(f"  Development tokens, from: {this_command()} token")
            return
        if not settings.auth_client_id:
            emit("  AUTH_CLIENT_ID is unset: the web pages have no sign-in")
        keys = await asyncio.to_thread(jwks.fetch, settings.auth_jwks_url)
    except SettingsError as error:
        yield str(error)
    except jwks.KeysUnavailable as error:
        yield f"Signing keys cannot be fetched ({error}): check AUTH_JWKS_URL and the network."
    else:
        listed = ", ".join(f"{key_id} ({key.algorithm_name})" for key_id, key in sorted(keys.items()))
        emit(f"  {settings.auth_issuer} signs with {listed}")


async def check_database(settings: Settings, emit: Emit, *, deep: bool = False) -> Problems:
    if not settings.database_url:
        yield "DATABASE_URL is unset: serve, migrate and seed need it; dev starts its own database."
        return
    limits = time_limits_for(settings).session_settings
    try:
        async with connect(settings.direct_url) as conn:
            checks = [check_server(conn, emit), check_schema(conn, settings, emit)]
            for check in [*checks, check_rows(conn, emit)] if deep else checks:
                async for problem in check:
                    yield problem
        async with connect(settings.required_database_url, limits, pooled=settings.pooled) as conn:
            async for problem in check_role(conn, role_settings(limits)):
                yield problem
        async for problem in check_replicas(settings, emit):
            yield problem
    except Unavailable as error:
        yield f"The database does not answer ({error.__cause__ or 'timed out'}): check DATABASE_URL."
    except DRIVER_ERRORS as error:
        yield f"The database refused a statement ({one_line(error)}): run migrate grant for this role."


async def check_server(conn: Connection, emit: Emit) -> Problems:
    about = await server.about(conn)
    emit(f"  PostgreSQL {about.version}, as {about.user}")
    if about.version_number < _MIN_VERSION:
        yield f"PostgreSQL {about.version} is too old: use 15 or newer."
    if "pg_trgm" not in about.extensions:
        yield "The extension pg_trgm is missing: install PostgreSQL's contrib package, then migrate up."
    here = datetime.now(UTC)
    if abs((here - about.now).total_seconds()) > _MAX_CLOCK_DIFFERENCE_S:
        yield (
            f"The clocks differ: the database has {about.now:%Y-%m-%d %H:%M:%S} UTC, this machine "
            f"{here:%Y-%m-%d %H:%M:%S} UTC; synchronise both."
        )


async def check_schema(conn: Connection, settings: Settings, emit: Emit) -> Problems:
    if problem := await migrate.problem(conn, read(sql.MIGRATIONS)):
        yield problem
        return
    for interrupted in (await migrate.status(conn, sql.MIGRATIONS)).half_way:
        yield str(interrupted)
    for problem in await shape.problems(conn):
        yield f"{problem}."
    for ready in await partitions.ready_until(conn):
        emit(f"  {ready.table} has partitions until {ready.until:%Y-%m-%d}")
        if not ready.in_time:
            yield f"{ready.table} needs new partitions: run a server, or find out why tend_partitions fails."
    if old := await retention.expired_partitions(conn, settings.events_kept_months):
        yield f"{', '.join(old)}: older than EVENTS_KEPT_MONTHS: run {this_command()} retain."


async def check_rows(conn: Connection, emit: Emit) -> Problems:
    """Read every row as the server does."""
    if await migrate.problem(conn, read(sql.MIGRATIONS)):
        return
    try:
        values = await migration.unreadable_values(conn)
    except MigrationError as error:
        yield str(error)
        return
    emit(f"  Every ticket and assignment was read; unreadable values: {len(values)}")
    for row, row_id, field in values:
        yield f"{field} of {row.lower()} {row_id} is unreadable: correct its value."


async def check_role(conn: Connection, settings: Mapping[str, str]) -> Problems:
    """Check the server's own role and its session, and plan each statement of the server."""
    about = await server.about(conn)
    if about.is_superuser:
        yield "The role is a superuser: use a role that can only read and write the tables of Baton."
    for change in await server.settings_to_change(conn, {**REQUIRED_SETTINGS, **_WRITABLE, **settings}):
        yield change
    if await migrate.problem(conn, read(sql.MIGRATIONS)):
        return
    for table in await server.tables_with_hidden_rows(conn, names.tables(sql.MIGRATIONS)):
        yield (
            f"Row security hides rows of {table} from {about.user}. As the owner of the table: "
            f"CREATE POLICY baton ON {table} TO {about.user} USING (true). Or as an administrator: "
            f"ALTER ROLE {about.user} BYPASSRLS."
        )
    if missing := await grants.missing_privileges(conn, about.user):
        yield (
            f"The role {about.user} lacks {', '.join(missing)}: as the owner of the tables, run "
            f"{this_command()} migrate grant {about.user}."
        )
        return
    for query in sql.LOADED:
        if not query.name.startswith(_NOT_SERVED) and (error := await query.explain_error(conn)):
            yield f"The statement {query.name} fails ({error}): compare the schema with a new database's."
            return


async def check_replicas(settings: Settings, emit: Emit) -> Problems:
    for number, url in enumerate(settings.database_replica_urls.split(), 1):
        try:
            async with connect(url, pooled=settings.pooled) as conn:
                is_standby = await server.replayed_position(conn) is not None
            emit(f"  DATABASE_REPLICA_URLS, {number}: {'a standby' if is_standby else 'the primary now'}")
        except Unavailable as error:
            yield f"DATABASE_REPLICA_URLS, {number}: it does not answer ({error.__cause__ or 'timed out'})."


def _printable(name: str, value: object) -> object:
    if value in ("", ()):
        return "(unset)"
    if name.endswith(_SECRETS):
        return "(set)"
    if isinstance(value, bool):
        return int(value)
    return ",".join(value) if isinstance(value, tuple) else value
