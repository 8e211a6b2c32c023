"""The composition root: pool, schema, routes, lifespan."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.routing import Route, WebSocketRoute

from app.config import DEFAULT_CURRENCY, SettingsError
from app.db import migrate, sql
from app.db.connections import TimeLimits
from app.db.errors import Unavailable
from app.db.migration_files import read
from app.db.pool import Database, open_database
from app.db.replicas import ReplicaRouter, WalPositions
from app.domain.model import AuditContext
from app.events import Feed
from app.graphql.admission.limits import Limits
from app.graphql.admission.trusted_documents import (
    ManifestError,
    TrustedDocuments,
    own_documents,
    read_manifest,
)
from app.graphql.batching.event_cache import EventResultCache
from app.graphql.batching.scheduler import BatchScheduler
from app.graphql.context import Context
from app.graphql.schema import build_schema
from app.graphql.transport.http import GraphQLHttpEndpoint
from app.graphql.transport.stream_limit import StreamLimit
from app.graphql.transport.websocket import GraphQLWebSocketEndpoint
from app.http.auth import tokens
from app.http.auth.claims import ClaimMapping
from app.http.auth.jwks import SigningKeys
from app.http.headers import header
from app.http.middleware import access_log, read_after_write, request_id, security
from app.http.middleware.fast_route import FastRouteMiddleware
from app.http.routes import billing_csv, health, pages
from app.http.routes import metrics as metrics_route
from app.jobs import runner
from app.observability.metrics import Metrics
from app.queries import server
from app.server.graceful_shutdown import ShutdownState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.types import Scope

    from app.config import Settings
    from app.db.migration_files import Migration
    from app.graphql.batching.loader import Batch
    from app.observability.tracing import Tracing


def authenticator_of(settings: Settings) -> tokens.Authenticator:
    """The identity provider's tokens where there is one, else development tokens. Raises SettingsError."""
    if not settings.has_identity_provider:
        return tokens.DevelopmentTokens(settings.dev_secret)
    return tokens.ProviderTokens(
        keys=SigningKeys(settings.auth_jwks_url),
        issuer=settings.auth_issuer,
        audience=settings.auth_audience,
        claim_mapping=ClaimMapping(settings.auth_role_claim, settings.role_map, settings.auth_engineer_claim),
    )


def documents_of(settings: Settings) -> TrustedDocuments:
    """Those of our own clients, and those of the operator's manifest. Raises SettingsError."""
    texts = own_documents()
    if settings.trusted_documents_file:
        try:
            texts |= read_manifest(Path(settings.trusted_documents_file))
        except ManifestError as error:
            raise SettingsError(f"TRUSTED_DOCUMENTS_FILE must be a manifest: {error}.") from None
    return TrustedDocuments(texts, only=settings.trusted_documents_only)


def app_of(settings: Settings, database_url: str, authenticator: tokens.Authenticator) -> Starlette:
    """The application as the settings want it. Raises SettingsError."""
    return create_app(
        database_url,
        authenticator,
        direct_url=settings.database_direct_url or database_url,
        pooled=settings.pooled,
        replica_urls=settings.database_replica_urls.split(),
        replica_lag_s=settings.database_replica_lag_s,
        pool_size=settings.database_pool_size,
        time_limits=time_limits_of(settings),
        documents=documents_of(settings),
        production=settings.production,
        allowed_hosts=settings.served_hosts,
        cors_origins=settings.cors_origins,
        provider=provider_of(settings),
        metrics_token=settings.metrics_token,
        currency=settings.billing_currency,
        tracing=tracing_of(settings),
        compiled_execution=settings.compiled_execution,
    )


def time_limits_of(settings: Settings) -> TimeLimits:
    return TimeLimits(
        connect_s=settings.database_connect_timeout_s,
        acquire_s=settings.database_acquire_timeout_s,
        lock_s=settings.database_lock_timeout_s,
        statement_s=settings.database_statement_timeout_s,
    )


def tracing_of(settings: Settings) -> Tracing | None:
    """None, and nothing of it in memory, where no traces are wanted. Raises SettingsError."""
    if not settings.otel_exporter_otlp_endpoint:
        return None
    try:
        from app.observability.tracing import Tracing  # noqa: PLC0415 - see above
    except ImportError:
        raise SettingsError(
            "OTEL_EXPORTER_OTLP_ENDPOINT must not be set without the extra: pip install 'baton[otel]'."
        ) from None
    return Tracing()


def provider_of(settings: Settings) -> pages.Provider | None:
    """Where people sign in on the web pages; None where they cannot."""
    if not settings.auth_client_id:
        return None
    return pages.Provider(
        settings.auth_issuer, settings.auth_client_id, settings.auth_scopes, settings.auth_audience
    )


def create_app(
    database_url: str,
    authenticator: tokens.Authenticator,
    *,
    provider: pages.Provider | None = None,
    direct_url: str | None = None,
    pooled: bool = False,
    replica_urls: Sequence[str] = (),
    replica_lag_s: float = 5,
    pool_size: int = 10,
    time_limits: TimeLimits | None = None,
    limits: Limits | None = None,
    documents: TrustedDocuments | None = None,
    production: bool = False,
    allowed_hosts: Sequence[str] = ("*",),
    cors_origins: Sequence[str] = (),
    metrics_token: str = "",
    currency: str = DEFAULT_CURRENCY,
    tracing: Tracing | None = None,
    compiled_execution: bool = True,
) -> Starlette:
    """The whole product as one ASGI application; its lifespan opens and closes what it needs.

    `direct_url` leads to the database itself where `database_url` leads to a pooler, which is `pooled` where
    it lends its connections for one transaction.
    """
    opened: list[tuple[Database, ReplicaRouter | None]] = []
    # Read once: the files are large, and probes ask every few seconds.
    migrations = read(sql.MIGRATIONS)
    limits = limits or Limits()
    schema = build_schema(limits, production=production, documents=documents, compiled=compiled_execution)
    metrics = Metrics()
    span = tracing.span if tracing else access_log.no_span
    streams = StreamLimit(limits.streams, metrics)
    shared = EventResultCache()
    batch_scheduler: BatchScheduler[Batch] = BatchScheduler()
    feed = Feed(direct_url or database_url, metrics, tracks_position=bool(replica_urls))

    def new_context(scope: Scope, verified: tokens.Verified | None) -> Context:
        db, replicas = opened[0]
        is_http = scope["type"] == "http"
        client = scope.get("client")
        return Context(
            db,
            feed,
            shared,
            batch_scheduler,
            signed_in=None if verified is None else verified.actor,
            address=client[0] if client else "",
            # What a socket said when it opened is of no one mutation.
            idempotency_key=header(scope, b"idempotency-key") if is_http else None,
            log_fields=access_log.log_fields(scope),
            transport="http" if is_http else "ws",
            currency=currency,
            replicas=replicas,
            seen_position=read_after_write.requested_position(scope),
            audit_context=AuditContext(request_id.of(scope), None if verified is None else verified.token_id),
        )

    open_one = partial(
        open_database,
        pool_size=pool_size,
        limits=time_limits or TimeLimits(),
        on_statement=tracing.statement if tracing else None,
        pooled=pooled,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with (
            open_one(database_url, on_commit=feed.notify_changed, metrics=metrics) as db,
            ReplicaRouter(
                db, WalPositions(server.written_position, server.replayed_position), replica_lag_s, metrics
            ).monitor([partial(open_one, url) for url in replica_urls]) as replicas,
            runner.running_jobs(db),
            asyncio.TaskGroup() as background,
        ):
            opened.append((db, replicas if replica_urls else None))
            following = background.create_task(feed.run())
            yield
            opened.clear()
            following.cancel()
        if tracing:
            await asyncio.to_thread(tracing.end)

    async def end_streams() -> None:
        feed.close()
        await socket.end()

    shutdown_state = ShutdownState(end_streams)

    async def why_not_ready() -> str | None:
        if not opened:
            return "starting"
        if shutdown_state.has_started:
            return "stopping"
        return await _schema_problem(opened[0][0], migrations)

    signs_in = Middleware(
        AuthenticationMiddleware, backend=tokens.BearerBackend(authenticator), on_error=tokens.refuse
    )
    socket = GraphQLWebSocketEndpoint(
        schema, authenticator, new_context, limits, streams, origins=cors_origins, span=span
    )
    browser_middleware = security.browser_middleware(allowed_hosts, cors_origins)
    development_tokens = (
        authenticator if isinstance(authenticator, tokens.DevelopmentTokens) and not production else None
    )
    graphql = Route(
        "/graphql",
        GraphQLHttpEndpoint(schema, new_context, streams),
        middleware=[*browser_middleware, signs_in],
    )
    app = Starlette(
        routes=[
            graphql,
            Route(
                "/billing.csv",
                billing_csv.BillingCsv(lambda: opened[0][0], currency),
                middleware=[*browser_middleware, signs_in],
            ),
            WebSocketRoute("/graphql", socket, middleware=browser_middleware),
            # Other sites may call the API where CORS lets them, but not sign in.
            *pages.routes(
                provider,
                development_tokens,
                production=production,
                browser_middleware=security.browser_middleware(allowed_hosts, ()),
            ),
            *health.routes(why_not_ready),
            *metrics_route.routes(metrics, metrics_token, production=production),
        ],
        middleware=[
            Middleware(request_id.RequestIdMiddleware),
            Middleware(access_log.AccessLogMiddleware, metrics, span),
            Middleware(security.SecurityHeadersMiddleware),
            Middleware(security.JsonErrorsMiddleware),
            Middleware(FastRouteMiddleware, graphql.path, graphql.app),
        ],
        exception_handlers={Exception: security.fault},
        lifespan=lifespan,
    )
    app.state.shutdown_state = shutdown_state
    return app


async def _schema_problem(db: Database, migrations: Sequence[Migration]) -> str | None:
    """Why this code cannot work with this database; None when it can."""
    try:
        async with db.connection() as conn:
            return await migrate.problem(conn, migrations)
    except Unavailable:
        return "the database does not answer"
