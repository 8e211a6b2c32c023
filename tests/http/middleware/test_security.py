"""Security headers, allowed hosts, CORS, and the settings for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from app.config import SettingsError, load
from tests.apps import client_of, make_app
from tests.graphql.transport.test_http import NEWER, code_of
from tests.graphql.transport.test_request import accept_by, status_of

DESK = "https://desk.example.com"
EVIL = "https://evil.example.com"
TYPENAME = {"query": "{ __typename }"}
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


@asynccontextmanager
async def client_with(url: str, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = make_app(url, database_pool_size=1, **settings)
    async with client_of(app, raise_app_exceptions=False) as client:
        yield client


async def test_every_response_has_the_security_headers(client):
    invalid = {"Authorization": "Bearer wrong"}
    for response, status in (
        (await client.post("/graphql", json=TYPENAME), 200),
        (await client.post("/graphql", content=b"null"), 415),
        (await client.put("/graphql"), 405),
        (await client.post("/graphql", json=TYPENAME, headers=invalid), 401),
        (await client.get("/ui-config.json"), 200),
        (await client.get("/livez"), 200),
        (await client.get("/nothing"), 404),
    ):
        assert response.status_code == status
        assert_security_headers(response)


async def test_errors_outside_of_routes_are_json(shared_url):
    async with client_with(shared_url, cors_origins=(DESK,), allowed_hosts=("test",)) as client:
        foreign = {"Host": "evil.example.com"}
        for response, status, code in (
            (await client.get("/nothing"), 404, "NOT_FOUND"),
            (await client.post("/"), 405, "METHOD_NOT_ALLOWED"),
            (await client.delete("/livez"), 405, "METHOD_NOT_ALLOWED"),
            (await client.post("/graphql", json=TYPENAME, headers=foreign), 400, "BAD_USER_INPUT"),
            (await client.options("/graphql", headers={"Origin": EVIL, **PREFLIGHT}), 400, "BAD_USER_INPUT"),
        ):
            assert (response.status_code, code_of(response)) == (status, code)
            assert response.headers["Content-Type"] == "application/json"
            assert_security_headers(response)
            assert status != 405 or "GET" in response.headers["Allow"]
        assert (await client.head("/nothing")).status_code == 404


async def test_an_uncaught_exception_is_json_without_details(shared_url):
    app = make_app(shared_url)
    app.router.routes[0].app.app = broken
    async with client_of(app, raise_app_exceptions=False) as client:
        response = await client.post("/graphql", json=TYPENAME)
    assert (response.status_code, code_of(response)) == (500, "INTERNAL")
    assert "secret" not in response.text
    assert_security_headers(response)


async def broken(*_: Any) -> None:
    raise RuntimeError("a secret")


def assert_security_headers(response: httpx.Response) -> None:
    for name, value in {
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    }.items():
        assert response.headers.get_list(name) == [value]


# Other hosts


async def test_other_hosts_are_refused_except_for_health(shared_url):
    allowed = {"allowed_hosts": ("tickets.example.com", "*.example.net")}
    for host, status in (
        ("tickets.example.com", 200),
        ("TICKETS.example.com:8443", 200),
        ("eu.example.net", 200),
        ("example.com", 400),
        ("tickets.example.com.evil.com", 400),
        ("evil-example.net", 400),
        ("127.0.0.1:8000", 400),
    ):
        async with client_with(shared_url, **allowed) as client:
            headers = {"Host": host}
            assert (await client.post("/graphql", json=TYPENAME, headers=headers)).status_code == status
            assert (await client.get("/", headers=headers)).status_code == status
            assert (await client.get("/livez", headers=headers)).status_code == 200


PATHS = ("/graphql", "/graphql/", "/graphiql", "/graphiql/", "/billing.csv/", "/assets", "/assets/x.js")
OTHER_PATHS = (
    *("//", "/tickets/x/", "/dev/token/", "/livez/", "/readyz/", "/metrics/", "/nothing"),
    "//evil.example.com",
)


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "HEAD"])
async def test_the_host_is_checked_before_any_route(shared_url, method):
    """And no response repeats it: no path redirects to another."""
    async with client_with(shared_url, allowed_hosts=("test",), cors_origins=(DESK,)) as client:
        for path in PATHS + OTHER_PATHS:
            url = f"http://test{path}"
            response = await client.request(method, url, headers={"Host": "evil.example.com"})
            assert response.status_code == 400, path
            assert "evil" not in f"{response.headers}{response.text}"
            response = await client.request(method, url)
            assert not response.is_redirect, path
            assert "Location" not in response.headers


# Other sites


async def test_cors_allows_nothing_by_default(client):
    response = await client.post("/graphql", json=TYPENAME, headers={"Origin": EVIL})
    assert not cors_headers(response)
    response = await client.options("/graphql", headers={"Origin": EVIL, **PREFLIGHT})
    assert response.status_code == 405
    assert not cors_headers(response)


def cors_headers(response: httpx.Response) -> list[str]:
    return [name for name in response.headers if name.startswith("access-control")]


async def test_cors_allows_configured_origins(shared_url):
    async with client_with(shared_url, cors_origins=(DESK,)) as client:
        for origin, status in ((DESK, 200), (EVIL, 400), (DESK + ".evil.com", 400), ("null", 400)):
            preflight = await client.options("/graphql", headers={"Origin": origin, **PREFLIGHT})
            assert preflight.status_code == status
            response = await client.post(
                "/graphql", json=TYPENAME, headers={"Origin": origin, "Accept": NEWER}
            )
            refused = await client.post(
                "/graphql", json=TYPENAME, headers={"Origin": origin, "Authorization": "Bearer x"}
            )
            assert (response.status_code, refused.status_code) == (200, 401)
            assert set(response.headers["Vary"].split(", ")) == {"Accept", "Origin"}
            for each in (preflight, response, refused):
                allowed = each.headers.get("Access-Control-Allow-Origin")
                assert allowed == (DESK if origin == DESK else None)
                assert "Access-Control-Allow-Credentials" not in each.headers


SIMPLE = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
"""Media types that pages may send to other sites without a preflight."""


@pytest.mark.parametrize("content_type", SIMPLE)
async def test_requests_without_a_preflight_change_nothing(client, make, db, content_type):
    assignment = await make.assigned()
    body = httpx.Request("POST", "http://test", json={"query": accept_by(assignment.id)}).content
    for content in (body, body[:-1] + b', "x": "="}'):
        headers = {"Origin": EVIL, "Sec-Fetch-Mode": "no-cors", "Content-Type": content_type}
        response = await client.post("/graphql", content=content, headers=headers)
        assert (response.status_code, code_of(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")
    link = await client.get(
        "/graphql", params={"query": accept_by(assignment.id)}, headers={"Sec-Fetch-Mode": "navigate"}
    )
    assert link.status_code == 405
    assert await status_of(db, assignment.id) == "assigned"


async def test_cookies_do_not_authenticate(client, make, db):
    """Only the Authorization header does, which pages of other sites cannot set."""
    assignment = await make.assigned()
    token = client.headers.pop("Authorization").removeprefix("Bearer ")
    for cookie in (f"authorization=Bearer {token}", f"token={token}", f"session={token}"):
        response = await client.post(
            "/graphql", json={"query": accept_by(assignment.id)}, headers={"Cookie": cookie}
        )
        assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert await status_of(db, assignment.id) == "assigned"


# Settings


def test_hosts_and_origins_are_lists():
    assert (load({}).served_hosts, load({}).cors_origins) == (("*",), ())
    settings = load(
        {"ALLOWED_HOSTS": "a.example.com, *.b.example,[::1]", "CORS_ORIGINS": f"{DESK},http://localhost:5173"}
    )
    assert settings.served_hosts == ("a.example.com", "*.b.example", "[::1]")
    assert settings.cors_origins == (DESK, "http://localhost:5173")


def test_production_requires_allowed_hosts():
    assert load({"APP_ENV": "production", "ALLOWED_HOSTS": "a.example"}).served_hosts == ("a.example",)
    with pytest.raises(SettingsError, match=r"ALLOWED_HOSTS must be set"):
        _ = load({"APP_ENV": "production"}).served_hosts


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("ALLOWED_HOSTS", "https://a.example"),
        ("ALLOWED_HOSTS", "a.example:8000"),
        ("ALLOWED_HOSTS", "a.*.example"),
        ("ALLOWED_HOSTS", "a.example,,b.example"),
        ("CORS_ORIGINS", "desk.example.com"),
        ("CORS_ORIGINS", "https://desk.example.com/"),
        ("CORS_ORIGINS", "https://Desk.example.com"),
        ("CORS_ORIGINS", "https://*.example.com"),
        ("CORS_ORIGINS", "null"),
    ],
)
def test_an_entry_that_could_never_match_is_refused(name, wrong):
    with pytest.raises(SettingsError, match=rf"^{name} must contain entries such as .*\.$"):
        load({name: wrong})


def test_some_numbers_can_be_zero():
    settings = load({"SHUTDOWN_DRAIN_S": "0", "EVENTS_KEPT_MONTHS": "0", "DATABASE_WAIT_S": "0"})
    assert (settings.shutdown_drain_s, settings.events_kept_months, settings.database_wait_s) == (0, 0, 0)


@pytest.mark.parametrize(("name", "wrong"), [("SHUTDOWN_DRAIN_S", "-1"), ("DATABASE_POOL_SIZE", "0")])
def test_a_number_below_the_minimum_is_refused(name, wrong):
    with pytest.raises(
        SettingsError, match=rf"^{name} must be a whole number of at least \d, not '{wrong}'\.$"
    ):
        load({name: wrong})
