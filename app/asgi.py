"""The composition root: pool, schema, routes, lifespan."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.config import SettingsError
from app.db import migrate, sql
from app.db.migration_files import read
from app.db.pool import Database, Unavailable, open_database
from app.graphql.documents import ManifestError, TrustedDocuments, of_our_clients, read_manifest
from app.graphql.limits import Limits
from app.graphql.schema import build_schema
from app.graphql.view import View
from app.web import auth, edge, health
from app.web.claims import Reading
from app.web.jwks import Keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.requests import Request

    from app.config import Settings
    from app.db.migration_files import Migration

_HOME = """Baton: who holds a service ticket.

GraphQL     POST /graphql
Health      GET /livez, GET /readyz
"""


def authenticator_of(settings: Settings) -> auth.Authenticator:
    """The identity provider's tokens where there is one, else development tokens. Raises SettingsError."""
    if not settings.has_identity_provider:
        return auth.DevelopmentTokens(settings.dev_secret)
    return auth.ProviderTokens(
        keys=Keys(settings.auth_jwks_url),
        issuer=settings.auth_issuer,
        audience=settings.auth_audience,
        reading=Reading(settings.auth_role_claim, settings.role_map, settings.auth_engineer_claim),
    )


def documents_of(settings: Settings) -> TrustedDocuments:
    """Those of our own clients, and those of the operator's manifest. Raises SettingsError."""
    texts = of_our_clients()
    if settings.trusted_documents_file:
        try:
            texts |= read_manifest(Path(settings.trusted_documents_file))
        except ManifestError as error:
            raise SettingsError(f"TRUSTED_DOCUMENTS_FILE must be a manifest: {error}.") from None
    return TrustedDocuments(texts, only=settings.trusted_documents_only)


def create_app(
    database_url: str,
    authenticator: auth.Authenticator,
    *,
    pool_size: int = 10,
    limits: Limits | None = None,
    documents: TrustedDocuments | None = None,
    production: bool = False,
    allowed_hosts: Sequence[str] = ("*",),
    cors_origins: Sequence[str] = (),
) -> Starlette:
    """The whole product as one ASGI application; its lifespan opens and closes the pool."""
    opened: list[Database] = []
    # Read once: the files are large, and probes ask every few seconds.
    migrations = read(sql.MIGRATIONS)
    schema = build_schema(limits or Limits(), production=production, documents=documents)
    view = View(schema, lambda: opened[0])

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with open_database(database_url, pool_size=pool_size) as db:
            opened.append(db)
            yield
            opened.clear()

    async def why_not_ready() -> str | None:
        if not opened:
            return "starting or stopping"
        return await _schema_problem(opened[0], migrations)

    async def home(_: Request) -> Response:
        return PlainTextResponse(_HOME)

    signs_in = Middleware(
        AuthenticationMiddleware, backend=auth.BearerBackend(authenticator), on_error=auth.refuse
    )
    doors = edge.doors(allowed_hosts, cors_origins)
    return Starlette(
        routes=[
            Route("/graphql", view, middleware=[*doors, signs_in]),
            Route("/", home, middleware=doors),
            *health.routes(why_not_ready),
        ],
        middleware=[Middleware(edge.SafeHeaders), Middleware(edge.JsonRefusals)],
        exception_handlers={Exception: edge.fault},
        lifespan=lifespan,
    )


async def _schema_problem(db: Database, migrations: Sequence[Migration]) -> str | None:
    """Why this code cannot work with this database; None when it can."""
    try:
        async with db.connection() as conn:
            return await migrate.problem(conn, migrations)
    except Unavailable:
        return "the database does not answer"
