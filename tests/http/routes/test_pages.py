"""The web pages: routes, security policies, caching and configuration."""

import gzip

import httpx
import pytest
from starlette.applications import Starlette

from app.http.routes import pages
from tests.apps import TOKENS

PROVIDER = pages.Provider("https://login.example:8443/realms/field", "baton-pages", "openid", "https://api")
SCRIPT = b"console.log('a script')\n"


@pytest.fixture
def built(tmp_path):
    (tmp_path / "index.html").write_text("<title>Baton</title>")
    (tmp_path / "graphiql.html").write_text("<title>GraphiQL</title>")
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "a-1f.js").write_bytes(SCRIPT)
    (assets / "a-1f.js.gz").write_bytes(gzip.compress(SCRIPT))
    (assets / "plain-2e.js").write_bytes(SCRIPT)
    return tmp_path


def client(built, provider=None, tokens=None, *, production=True):
    routes = pages.routes(provider, tokens, production=production, built=built)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(Starlette(routes=routes)), base_url="http://localhost"
    )


def policy(response):
    directives = (directive.split() for directive in response.headers["content-security-policy"].split(";"))
    return {name: values for name, *values in directives}


@pytest.mark.parametrize(
    "path", ["/", "/tickets", "/tickets/T-1", "/tickets/a/b", "/my-work", "/statistics", "/sign-in?to=/"]
)
async def test_every_path_of_the_admin_ui_loads_it(built, path):
    response = await client(built).get(path)
    assert "<title>Baton</title>" in response.text
    assert response.headers["cache-control"] == "no-cache"
    assert policy(response) == {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
        "connect-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
    }


async def test_only_the_admin_ui_may_connect_to_the_provider(built):
    http_client = client(built, PROVIDER)
    assert policy(await http_client.get("/"))["connect-src"] == ["'self'", "https://login.example:8443"]
    graphiql = await http_client.get("/graphiql")
    assert "<title>GraphiQL</title>" in graphiql.text
    assert policy(graphiql)["connect-src"] == ["'self'"]
    assert policy(graphiql)["script-src"] == ["'self'"]


@pytest.mark.parametrize(
    ("name", "accepted", "encoding"),
    [("a-1f.js", "gzip, br", "gzip"), ("a-1f.js", "br", None), ("plain-2e.js", "gzip", None)],
)
async def test_assets_are_cached_and_compressed(built, name, accepted, encoding):
    response = await client(built).get(f"/assets/{name}", headers={"Accept-Encoding": accepted})
    assert response.content == SCRIPT
    assert response.headers.get("content-encoding") == encoding
    assert response.headers["content-type"].partition(";")[0].endswith("javascript")
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("path", ["/assets/none.js", "/assets/..%2findex.html", "/assets/", "/nothing"])
async def test_404_is_not_cached(built, path):
    response = await client(built).get(path)
    assert response.status_code == 404
    assert "cache-control" not in response.headers


async def test_without_built_pages_a_note_explains_how_to_get_them(tmp_path):
    http_client = client(tmp_path)
    for path, status in (("/", 200), ("/graphiql", 404), ("/tickets/T-1", 404)):
        response = await http_client.get(path)
        assert response.status_code == status
        assert "BATON_WEB=0" in response.text
    assert not pages.are_built(tmp_path)


@pytest.mark.parametrize(
    ("options", "config"),
    [
        ({"tokens": TOKENS, "production": False}, ("development", {"kind": "development"})),
        ({}, ("production", {"kind": "none"})),
        (
            {"provider": PROVIDER},
            (
                "production",
                {
                    "kind": "provider",
                    "issuer": "https://login.example:8443/realms/field",
                    "clientId": "baton-pages",
                    "scopes": "openid",
                    "audience": "https://api",
                },
            ),
        ),
    ],
)
async def test_the_pages_get_the_sign_in_configuration(built, options, config):
    response = await client(built, **options).get("/ui-config.json")
    assert response.json() == {"environment": config[0], "signIn": config[1]}
