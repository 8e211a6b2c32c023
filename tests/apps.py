"""Applications for tests: created from settings, started, and called over ASGI or in a process."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from app.asgi import create_app
from app.config import Settings
from app.db.connections import TimeLimits
from app.domain.model import EngineerId, Role
from app.graphql.admission.limits import Limits
from app.graphql.admission.trusted_documents import TrustedDocuments
from app.http.auth.tokens import Authenticator, DevelopmentTokens, InvalidToken, VerifiedToken
from app.observability.tracing import Tracing

SECRET = "a secret of thirty-two characters"  # noqa: S105 - signs tokens of tests only
TOKENS = DevelopmentTokens(SECRET)
IS_COMPILED = os.environ.get("COMPILED_EXECUTION") != "0"


@dataclass(frozen=True)
class WithdrawnKey(DevelopmentTokens):
    """The provider withdraws the key after each token was verified once."""

    _verified: set[str] = field(default_factory=set)

    async def verify(self, token: str) -> VerifiedToken:
        if token in self._verified:
            raise InvalidToken
        self._verified.add(token)
        return await super().verify(token)


def make_app(
    url: str,
    *,
    authenticator: Authenticator = TOKENS,
    limits: Limits | None = None,
    time_limits: TimeLimits | None = None,
    documents: TrustedDocuments | None = None,
    tracing: Tracing | None = None,
    **settings: Any,
) -> Starlette:
    """`settings` are fields of Settings; by default the pool is small and any host is allowed."""
    defaults = {"database_pool_size": 2, "allowed_hosts": ("*",), "compiled_execution": IS_COMPILED}
    return create_app(
        Settings(database_url=url, **defaults | settings),
        authenticator=authenticator,
        limits=limits,
        time_limits=time_limits,
        documents=documents,
        tracing=tracing,
    )


def environment(**settings: str) -> dict[str, str]:
    """Environment variables for a process, with these settings and no others."""
    names = {field.name.upper() for field in fields(Settings)}
    return {name: value for name, value in os.environ.items() if name not in names} | settings


@asynccontextmanager
async def running_app(app: Starlette) -> AsyncIterator[ASGIApp]:
    """Run the lifespan, and add its state to each scope as a server does: httpx does neither."""
    async with app.router.lifespan_context(app) as state:

        async def app_with_state(scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope | {"state": dict(state or {})}, receive, send)

        yield app_with_state


@asynccontextmanager
async def client_of(
    app: Starlette,
    *,
    headers: dict[str, str] | None = None,
    host: str = "test",
    raise_app_exceptions: bool = True,
) -> AsyncIterator[httpx.AsyncClient]:
    """Run the application, and open an HTTP client of it."""
    async with (
        running_app(app) as running,
        client_of_running(
            running, headers=headers, host=host, raise_app_exceptions=raise_app_exceptions
        ) as client,
    ):
        yield client


def client_of_running(
    app: ASGIApp,
    *,
    headers: dict[str, str] | None = None,
    host: str = "test",
    raise_app_exceptions: bool = True,
) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=raise_app_exceptions)
    return httpx.AsyncClient(transport=transport, base_url=f"http://{host}", headers=headers)


def authorization(
    role: Role = Role.DISPATCHER, engineer_id: EngineerId | None = None, *, ttl_s: int = 600
) -> dict[str, str]:
    """The header of a signed-in user."""
    return {"Authorization": f"Bearer {TOKENS.sign(role, engineer_id, ttl_s=ttl_s)}"}
