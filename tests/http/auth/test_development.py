"""Signing in without a password: for whom it works, and for whom it does not."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette

from app.domain.model import Actor, Role
from app.http.auth import development
from tests.apps import TOKENS, make_app

ENGINEER = "0190d3a4-5b6c-7d8e-9f01-23456789abcd"


def client(*, address="127.0.0.1", host="localhost:8000", app=None):
    app = app or Starlette(routes=[development.route(TOKENS, browser_middleware=[])])
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=(address, 50_000)), base_url=f"http://{host}"
    )


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000"])
@pytest.mark.parametrize(
    ("asked", "role", "engineer"),
    [
        ({"role": "dispatcher"}, Role.DISPATCHER, None),
        ({"role": "admin", "engineerId": None}, Role.ADMIN, None),
        ({"role": "engineer", "engineerId": ENGINEER}, Role.ENGINEER, ENGINEER),
    ],
)
async def test_whoever_is_at_the_machine_may_be_anybody(host, asked, role, engineer):
    answer = (await client(host=host).post("/dev/token", json=asked)).json()
    verified = await TOKENS.verify(answer["accessToken"])
    assert isinstance(verified.actor, Actor)
    assert verified.actor.role is role
    assert (verified.actor.engineer_id and str(verified.actor.engineer_id)) == engineer
    assert answer["expiresIn"] > 60


@pytest.mark.parametrize(
    ("where", "headers", "status"),
    [
        ({"address": "192.0.2.7"}, {}, 403),
        ({"host": "baton.example"}, {}, 403),
        ({"host": "localhost.evil.example"}, {}, 403),
        ({}, {"Host": "["}, 403),
        ({}, {"Host": "evil_one.example"}, 403),
        ({}, {"Sec-Fetch-Site": "cross-site"}, 403),
        ({}, {"Sec-Fetch-Site": "same-site"}, 403),
        ({}, {"Content-Type": "text/plain"}, 415),
    ],
)
async def test_nobody_else_may(where, headers, status):
    given = {"Content-Type": "application/json"} | headers
    response = await client(**where).post("/dev/token", content=b'{"role": "admin"}', headers=given)
    assert response.status_code == status
    assert response.json().keys() == {"message"}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"role": "chief"}',
        '{"role": ["admin"]}',
        '{"role": "engineer"}',
        '{"role": "engineer", "engineerId": "ana"}',
        f'{{"role": "admin", "engineerId": "{ENGINEER}"}}',
    ],
)
async def test_a_wish_that_makes_nobody_is_refused(body):
    headers = {"Content-Type": "application/json"}
    response = await client().post("/dev/token", content=body, headers=headers)
    assert response.status_code == 400
    assert response.json()["message"]


async def test_production_has_no_such_thing(shared_url):
    app = make_app(shared_url, app_env="production")
    response = await client(app=app).post("/dev/token", json={"role": "admin"})
    assert response.status_code == 404
    config = (await client(app=app).get("/ui-config.json")).json()
    assert config["signIn"] == {"kind": "none"}


async def test_other_sites_may_not_read_it_even_where_they_may_call_the_api(shared_url):
    app = make_app(shared_url, cors_origins=("https://desk.example.com",))
    asked = {"Origin": "https://desk.example.com"}
    response = await client(app=app).post("/dev/token", json={"role": "admin"}, headers=asked)
    assert "access-control-allow-origin" not in response.headers
