"""Examines settings and database, and says of each problem what to do."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.asgi import documents_for, time_limits_for
from app.config import SettingsError
from app.db import migrate, sql
from app.db.connections import alter_role, connect, role_settings
from app.db.errors import Unavailable
from app.db.migration_files import read
from app.graphql.admission.limits import Limits
from app.http.auth import jwks
from app.http.routes import pages
from app.jobs import retention
from app.queries import partitions, server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from app.config import Settings
    from app.db.connections import Connection

_OLDEST_SERVER = 150000
_MAX_CLOCK_DIFFERENCE_S = 5
_SECRET = ("secret", "token", "url", "urls")


async def examine(settings: Settings, *, say: Callable[[str], object]) -> int:
    """The number of problems, each said in one line."""
    say("Settings")
    for f in fields(settings):
        value = getattr(settings, f.name)
        say(f"  {f.name.upper()} = {_shown(f.name, value)}\n      {f.metadata['description']}")
    say("Limits")
    for f in fields(Limits):
        say(f"  {f.name} = {f.default}\n      {f.metadata['description']}")
    count = 0
    for title, found in (
        ("Clients", _of_clients(settings, say)),
        ("Sign-in", _of_sign_in(settings, say)),
        ("Database", _of_database(settings, say)),
    ):
        say(title)
        async for problem in found:
            say(f"  !! {problem}")
            count += 1
    say("All is well." if not count else f"{count} to mend.")
    return min(count, 1)


async def _of_clients(settings: Settings, say: Callable[[str], object]) -> AsyncIterator[str]:
    there = "here" if pages.are_built() else "not part of this installation"
    say(f"  The web pages are {there}")
    try:
        say(f"  They call this server {', '.join(settings.served_hosts)}")
        documents = documents_for(settings)
        say(
            f"  {len(documents.texts)} documents are trusted{', and no others run' if documents.only else ''}"
        )
    except SettingsError as error:
        yield str(error)


async def _of_sign_in(settings: Settings, say: Callable[[str], object]) -> AsyncIterator[str]:
    try:
        if not settings.has_identity_provider:
            say("  Development tokens, from: python -m app token")
            return
        if not settings.auth_client_id:
            say("  AUTH_CLIENT_ID is unset: nobody signs in on the web pages")
        keys = await asyncio.to_thread(jwks.fetch, settings.auth_jwks_url)
    except SettingsError as error:
        yield str(error)
    except jwks.KeysUnavailable as error:
        yield f"The identity provider gives no keys ({error}): check AUTH_JWKS_URL and the way there."
    else:
        listed = ", ".join(f"{key_id} ({key.algorithm_name})" for key_id, key in sorted(keys.items()))
        say(f"  {settings.auth_issuer} signs with {listed}")


async def _of_database(settings: Settings, say: Callable[[str], object]) -> AsyncIterator[str]:
    if not settings.database_url:
        yield "DATABASE_URL is unset: serve, migrate and seed need it; dev brings its own."
        return
    try:
        async with connect(settings.direct_url) as conn:
            async for problem in _problems(conn, settings, say):
                yield problem
        if settings.pooled:
            async for problem in _of_pooler(settings, say):
                yield problem
        async for problem in _of_replicas(settings, say):
            yield problem
    except Unavailable as error:
        yield f"It does not answer ({error.__cause__ or 'timed out'}): check DATABASE_URL."


async def _of_replicas(settings: Settings, say: Callable[[str], object]) -> AsyncIterator[str]:
    for number, url in enumerate(settings.database_replica_urls.split(), 1):
        try:
            async with connect(url) as conn:
                is_standby = await server.replayed_position(conn) is not None
            say(f"  Of DATABASE_REPLICA_URLS, {number} is {'a standby' if is_standby else 'the primary now'}")
        except Unavailable as error:
            yield f"DATABASE_REPLICA_URLS, {number}: it does not answer ({error.__cause__ or 'timed out'})."


async def _of_pooler(settings: Settings, say: Callable[[str], object]) -> AsyncIterator[str]:
    say("  Through a pooler, whose role must bring the settings of a session")
    wanted = role_settings(time_limits_for(settings).session_settings)
    async with connect(settings.required_database_url) as conn:
        role = (await server.about(conn)).user
        for name in await server.settings_that_differ(conn, wanted):
            remedy = alter_role(role, name, wanted[name])
            yield f"The role has another {name}. As an administrator: {remedy}"


def _shown(name: str, value: object) -> object:
    if value in ("", ()):
        return "(unset)"
    if name.endswith(_SECRET):
        return "(set)"
    if isinstance(value, bool):
        return int(value)
    return ",".join(value) if isinstance(value, tuple) else value


async def _problems(conn: Connection, settings: Settings, say: Callable[[str], object]) -> AsyncIterator[str]:
    about = await server.about(conn)
    say(f"  PostgreSQL {about.version}, as {about.user}")
    if about.version_number < _OLDEST_SERVER:
        yield f"PostgreSQL {about.version} is too old: use 15 or newer."
    if "pg_trgm" not in about.extensions:
        yield "The extension pg_trgm is missing: install PostgreSQL's contrib package, then migrate up."
    if about.is_superuser:
        yield "The role is a superuser: give the server one that only reads and writes the product's tables."
    if abs((datetime.now(UTC) - about.now).total_seconds()) > _MAX_CLOCK_DIFFERENCE_S:
        yield f"The clocks differ: the database says {about.now:%H:%M:%S} UTC; synchronise both."
    problem = await migrate.problem(conn, read(sql.MIGRATIONS))
    if problem is not None:
        yield problem
        return
    for ready in await partitions.ready_until(conn):
        say(f"  {ready.table} has partitions until {ready.until:%Y-%m-%d}")
        if not ready.in_time:
            yield f"{ready.table} needs new partitions: let a server run, or look why tend_partitions fails."
    if old := await retention.expired_partitions(conn, settings.events_kept_months):
        yield f"{', '.join(old)}: older than EVENTS_KEPT_MONTHS: run python -m app retain."
