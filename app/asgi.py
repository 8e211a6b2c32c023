"""The composition root: creates the ASGI application from the settings."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.routing import BaseRoute, Route, WebSocketRoute

from app.batch_scheduler import BatchScheduler
from app.config import SettingsError
from app.db import migrate, sql
from app.db.connections import TimeLimits
from app.db.errors import Unavailable
from app.db.migration_files import read
from app.db.pool import open_database
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
from app.graphql.context import Context
from app.graphql.pipeline import OperationPipeline
from app.graphql.transport.http import GraphQLHttpEndpoint
from app.graphql.transport.stream_limit import StreamLimit
from app.graphql.transport.websocket import GraphQLWebSocketEndpoint
from app.http.auth import tokens
from app.http.headers import header
from app.http.lifespan_state import LifespanState, lifespan_state
from app.http.middleware import access_log, read_after_write, request_id, security
from app.http.routes import billing_csv, health, pages
from app.http.routes import metrics as metrics_route
from app.jobs import runner
from app.observability.metrics import Metrics
from app.queries import server
from app.server.graceful_shutdown import ShutdownState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.types import ASGIApp, Scope

    from app.config import Settings
    from app.domain.lifecycle import TicketRules
    from app.graphql.batching.loader import Batch
    from app.graphql.context import NewContext
    from app.observability.tracing import Tracing


GRAPHQL_PATH = "/graphql"


def create_app(
    settings: Settings,
    *,
    authenticator: tokens.Authenticator | None = None,
    limits: Limits | None = None,
    time_limits: TimeLimits | None = None,
    documents: TrustedDocuments | None = None,
    tracing: Tracing | None = None,
) -> Starlette:
    """Create the application; `app.state.shutdown_state` is for the server that runs it.

    An argument replaces what is otherwise made from the settings. Raises SettingsError.
    """
    authenticator = authenticator or tokens.authenticator_for(settings)
    documents = documents or documents_for(settings)
    tracing = tracing or tracing_for(settings)
    limits = limits or Limits()
    metrics = Metrics()
    span = tracing.span if tracing else access_log.no_span
    feed = Feed(settings.direct_url, metrics, tracks_position=bool(settings.database_replica_urls))
    pipeline = OperationPipeline(
        limits,
        production=settings.production,
        documents=documents,
        compiled=settings.compiled_execution,
    )
    metrics.document_cache_bytes.set_function(lambda: pipeline.cached_bytes)
    new_context = _context_factory(feed, settings.billing_currency, settings.ticket_rules)
    streams = StreamLimit(limits.streams, metrics)
    graphql = GraphQLHttpEndpoint(pipeline, authenticator, new_context, streams)
    websocket = GraphQLWebSocketEndpoint(
        pipeline, authenticator, new_context, limits, streams, origins=settings.cors_origins, span=span
    )

    async def end_streams() -> None:
        feed.close()
        await websocket.drain()

    shutdown_state = ShutdownState(end_streams)
    app = Starlette(
        routes=[
            *_browser_routes(settings, authenticator, graphql, websocket),
            *health.routes(_readiness_check(shutdown_state)),
            *metrics_route.routes(metrics, settings.metrics_token, production=settings.production),
        ],
        middleware=[
            Middleware(request_id.RequestIdMiddleware),
            Middleware(access_log.AccessLogMiddleware, metrics, span),
            Middleware(security.SecurityHeadersMiddleware),
            Middleware(security.JsonErrorsMiddleware),
            Middleware(
                security.AllowedHostsMiddleware,
                settings.served_hosts,
                exempt=("/livez", "/readyz", "/metrics"),
            ),
        ],
        exception_handlers={Exception: security.internal_error},
        lifespan=_lifespan(settings, time_limits or time_limits_for(settings), feed, metrics, tracing),
    )
    app.router.redirect_slashes = False  # a redirect would repeat the Host header
    app.state.shutdown_state = shutdown_state
    return app


def documents_for(settings: Settings) -> TrustedDocuments:
    """Return the documents of our own clients and of the operator's manifest. Raises SettingsError."""
    texts = own_documents()
    if settings.trusted_documents_file:
        try:
            texts |= read_manifest(Path(settings.trusted_documents_file))
        except ManifestError as error:
            raise SettingsError(f"TRUSTED_DOCUMENTS_FILE must be a manifest: {error}.") from None
    return TrustedDocuments(texts, only=settings.trusted_documents_only)


def time_limits_for(settings: Settings) -> TimeLimits:
    return TimeLimits(
        connect_s=settings.database_connect_timeout_s,
        acquire_s=settings.database_acquire_timeout_s,
        lock_s=settings.database_lock_timeout_s,
        statement_s=settings.database_statement_timeout_s,
    )


def tracing_for(settings: Settings) -> Tracing | None:
    """None, with no OpenTelemetry module imported, if tracing is off. Raises SettingsError."""
    if not settings.otel_exporter_otlp_endpoint:
        return None
    try:
        from app.observability.tracing import Tracing  # noqa: PLC0415 - see above
    except ImportError:
        raise SettingsError(
            "OTEL_EXPORTER_OTLP_ENDPOINT must not be set without the extra: pip install 'baton[otel]'."
        ) from None
    return Tracing()


def _browser_routes(
    settings: Settings, authenticator: tokens.Authenticator, graphql: ASGIApp, websocket: ASGIApp
) -> list[BaseRoute]:
    """Return GraphQL and the other routes of browsers. CORS is for the API, not for sign-in."""
    cors = security.cors_middleware(settings.cors_origins)
    authentication = Middleware(
        AuthenticationMiddleware,
        backend=tokens.BearerBackend(authenticator),
        on_error=tokens.authentication_error_response,
    )
    development_tokens = authenticator if isinstance(authenticator, tokens.DevelopmentTokens) else None
    bills = billing_csv.BillingCsv(settings.billing_currency)
    return [
        Route(GRAPHQL_PATH, graphql, middleware=[*cors, authentication]),
        WebSocketRoute(GRAPHQL_PATH, websocket),
        Route("/billing.csv", bills, middleware=[*cors, authentication]),
        *pages.routes(
            pages.provider_for(settings),
            None if settings.production else development_tokens,
            production=settings.production,
            development_addresses=settings.auth_dev_addresses,
        ),
    ]


def _context_factory(feed: Feed, currency: str, rules: TicketRules) -> NewContext:
    """Return the function that creates the context of each operation. All contexts share its caches."""
    batch_scheduler: BatchScheduler[Batch] = BatchScheduler()

    def new_context(scope: Scope, verified: tokens.VerifiedToken | None) -> Context:
        state = lifespan_state(scope)
        is_http = scope["type"] == "http"
        client = scope.get("client")
        return Context(
            state["database"],
            feed,
            batch_scheduler,
            signed_in=None if verified is None else verified.actor,
            address=client[0] if client else "",
            # The headers of a WebSocket belong to no single mutation.
            idempotency_key=header(scope, b"idempotency-key") if is_http else None,
            log_fields=access_log.log_fields(scope),
            transport="http" if is_http else "ws",
            currency=currency,
            rules=rules,
            replicas=state["replicas"],
            seen_position=read_after_write.requested_position(scope),
            audit_context=AuditContext(request_id.of(scope), None if verified is None else verified.token_id),
        )

    return new_context


def _lifespan(
    settings: Settings, time_limits: TimeLimits, feed: Feed, metrics: Metrics, tracing: Tracing | None
) -> Callable[[Starlette], AbstractAsyncContextManager[LifespanState]]:
    open_pool = partial(
        open_database,
        pool_size=settings.database_pool_size,
        limits=time_limits,
        on_statement=tracing.statement if tracing else None,
        pooled=settings.pooled,
    )
    replica_urls = settings.database_replica_urls.split()
    wal_positions = WalPositions(server.written_position, server.replayed_position)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[LifespanState]:
        async with (
            open_pool(settings.required_database_url, on_commit=feed.notify_changed, metrics=metrics) as db,
            ReplicaRouter(db, wal_positions, settings.database_replica_lag_s, metrics).monitor(
                [partial(open_pool, url) for url in replica_urls]
            ) as replicas,
            runner.running_jobs(db, runner.jobs(settings.ticket_rules)),
            asyncio.TaskGroup() as background,
        ):
            feed_task = background.create_task(feed.run())
            yield {"database": db, "replicas": replicas if replica_urls else None}
            feed_task.cancel()
        if tracing:
            await asyncio.to_thread(tracing.close)

    return lifespan


def _readiness_check(shutdown_state: ShutdownState) -> Callable[[Scope], Awaitable[str | None]]:
    # Read once: the files are large, and probes come every few seconds.
    migrations = read(sql.MIGRATIONS)

    async def why_not_ready(scope: Scope) -> str | None:
        """Why this server cannot serve requests; None if it can."""
        if shutdown_state.has_started:
            return "stopping"
        try:
            async with lifespan_state(scope)["database"].connection() as conn:
                return await migrate.problem(conn, migrations)
        except Unavailable:
            return "the database does not answer"

    return why_not_ready
