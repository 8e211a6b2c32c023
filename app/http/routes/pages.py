"""The web pages admin UI and GraphiQL, built from admin-ui/ into app/static, and their security policy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from app.http.auth import development

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from starlette.requests import Request
    from starlette.types import Scope

    from app.config import Settings
    from app.http.auth.tokens import DevelopmentTokens

    Endpoint = Callable[[Request], Awaitable[Response]]

BUILT = Path(__file__).parents[2] / "static"

# The admin UI routes these on the client, so that bookmarks and reloads must load it, too.
_ADMIN_PATHS = (
    "/",
    "/tickets",
    "/tickets/{id:path}",
    "/my-work",
    "/statistics",
    "/sign-in",
    "/sign-in/callback",
)
_NOTE = """Baton, the system of record for service ticket assignments.

GraphQL     POST /graphql
Health      GET /livez, GET /readyz

This installation has no web pages. Reinstall without BATON_WEB=0 to get them.
"""


@dataclass(frozen=True, slots=True)
class Provider:
    """The identity provider, as the pages use it."""

    issuer: str
    client_id: str
    scopes: str
    audience: str

    @property
    def origin(self) -> str:
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"


def provider_for(settings: Settings) -> Provider | None:
    """None if the pages offer no sign-in at an identity provider."""
    if not settings.auth_client_id:
        return None
    return Provider(
        settings.auth_issuer, settings.auth_client_id, settings.auth_scopes, settings.auth_audience
    )


def are_built(built: Path = BUILT) -> bool:
    return (built / "index.html").is_file()


def routes(
    provider: Provider | None,
    tokens: DevelopmentTokens | None,
    *,
    production: bool,
    development_addresses: Collection[str] = (),
    built: Path = BUILT,
) -> list[BaseRoute]:
    """Sign in at `provider`, or without a password with `tokens`. Serve a note if no pages are built."""
    sign_in = {"kind": "development" if tokens else "none"}
    if provider is not None:
        sign_in = {
            "kind": "provider",
            "issuer": provider.issuer,
            "clientId": provider.client_id,
            "scopes": provider.scopes,
            "audience": provider.audience,
        }
    config = {"environment": "production" if production else "development", "signIn": sign_in}

    async def ui_config(_: Request) -> Response:
        return JSONResponse(config)

    if are_built(built):
        admin = _page(built / "index.html", _admin_policy(provider))
        graphiql = _page(built / "graphiql.html", _GRAPHIQL_POLICY)
    else:
        admin = graphiql = _note
    return [
        *(Route(path, admin) for path in _ADMIN_PATHS),
        Route("/graphiql", graphiql),
        Route("/ui-config.json", ui_config),
        Mount("/assets", _Assets(directory=built / "assets", check_dir=False)),
        *([development.route(tokens, development_addresses)] if tokens else []),
    ]


_SELF_ONLY = (
    "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
)
# The editor inserts style elements, runs workers, and embeds icons in its stylesheets.
_GRAPHIQL_POLICY = (
    _SELF_ONLY + "connect-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
    "img-src 'self' data:; worker-src 'self'"
)


def _admin_policy(provider: Provider | None) -> str:
    connect = "'self'" if provider is None else f"'self' {provider.origin}"
    return _SELF_ONLY + f"connect-src {connect}; style-src 'self'; img-src 'self'"


def _page(file: Path, policy: str) -> Endpoint:
    # Revalidated on each load: the page names the assets of its version.
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}

    async def page(_: Request) -> Response:
        return FileResponse(file, headers=headers)

    return page


async def _note(request: Request) -> Response:
    return PlainTextResponse(_NOTE, status_code=200 if request.url.path == "/" else 404)


class _Assets(StaticFiles):
    """Cached by browsers without limit, since names contain a content hash. The build adds .gz files."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = None
        if "gzip" in Headers(scope=scope).get("accept-encoding", ""):
            response = await self._compressed(path, scope)
        response = response or await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["Vary"] = "Accept-Encoding"
        return response

    async def _compressed(self, path: str, scope: Scope) -> Response | None:
        try:
            response = await super().get_response(f"{path}.gz", scope)
        except HTTPException:
            return None
        response.headers["Content-Encoding"] = "gzip"
        return response
