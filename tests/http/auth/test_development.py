"""Development sign-in: works on this machine only."""

import ipaddress
import re

import httpx
import pytest
from starlette.applications import Starlette

from app.domain.model import Actor, Role
from app.http.auth import development
from tests.apps import TOKENS, make_app
from tests.contracts.test_operations import COMPOSE
from tests.server.test_graceful_shutdown import server, until_status

ENGINEER = "0190d3a4-5b6c-7d8e-9f01-23456789abcd"


def client(*, address="127.0.0.1", host="localhost:8000", app=None, addresses=()):
    app = app or Starlette(routes=[development.route(TOKENS, addresses)])
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=(address, 50_000)), base_url=f"http://{host}"
    )


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000"])
@pytest.mark.parametrize(
    ("body", "role", "engineer"),
    [
        ({"role": "dispatcher"}, Role.DISPATCHER, None),
        ({"role": "admin", "engineerId": None}, Role.ADMIN, None),
        ({"role": "engineer", "engineerId": ENGINEER}, Role.ENGINEER, ENGINEER),
    ],
)
async def test_this_machine_can_sign_in_with_any_role(host, body, role, engineer):
    response = (await client(host=host).post("/dev/token", json=body)).json()
    verified = await TOKENS.verify(response["accessToken"])
    assert isinstance(verified.actor, Actor)
    assert verified.actor.role is role
    assert (verified.actor.engineer_id and str(verified.actor.engineer_id)) == engineer
    assert response["expiresIn"] > 60


@pytest.mark.parametrize(
    ("origin", "headers", "status"),
    [
        ({"address": "192.0.2.7"}, {}, 403),
        ({"address": "192.0.2.9", "addresses": ("192.0.2.8",)}, {}, 403),
        ({"address": "192.0.2.8", "addresses": ("192.0.2.8",), "host": "baton.example"}, {}, 403),
        ({"host": "baton.example"}, {}, 403),
        ({"host": "localhost.evil.example"}, {}, 403),
        ({}, {"Host": "["}, 403),
        ({}, {"Host": "evil_one.example"}, 403),
        ({}, {"Sec-Fetch-Site": "cross-site"}, 403),
        ({}, {"Sec-Fetch-Site": "same-site"}, 403),
        ({}, {"Content-Type": "text/plain"}, 415),
    ],
)
async def test_other_machines_and_sites_are_refused(origin, headers, status):
    headers = {"Content-Type": "application/json"} | headers
    response = await client(**origin).post("/dev/token", content=b'{"role": "admin"}', headers=headers)
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
async def test_an_invalid_body_is_refused(body):
    headers = {"Content-Type": "application/json"}
    response = await client().post("/dev/token", content=body, headers=headers)
    assert response.status_code == 400
    assert response.json()["message"]


async def test_production_has_no_development_sign_in(shared_url):
    app = make_app(shared_url, app_env="production")
    response = await client(app=app).post("/dev/token", json={"role": "admin"})
    assert response.status_code == 404
    config = (await client(app=app).get("/ui-config.json")).json()
    assert config["signIn"] == {"kind": "none"}


async def test_cors_does_not_apply_to_development_sign_in(shared_url):
    app = make_app(shared_url, cors_origins=("https://desk.example.com",))
    headers = {"Origin": "https://desk.example.com"}
    response = await client(app=app).post("/dev/token", json={"role": "admin"}, headers=headers)
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(("address", "status"), [("172.30.53.1", 200), ("172.30.53.9", 403)])
async def test_the_compose_example_lets_only_its_gateway_choose_a_role(fresh_url, address, status):
    """A proxy on this machine is believed, so that the browser has this address for the server."""
    [gateway] = re.findall(r"^ +gateway: (\S+)$", COMPOSE, re.MULTILINE)
    assert ipaddress.ip_address(gateway) in ipaddress.ip_network(re.findall(r"- subnet: (\S+)", COMPOSE)[0])
    environment = dict(re.findall(r"^    ((?:AUTH|APP)_\w+): (.+)$", COMPOSE, re.MULTILINE))
    assert gateway in environment["AUTH_DEV_ADDRESSES"].split(",")
    async with server(fresh_url, **environment) as (_, port):
        await until_status(port, "/readyz", 200)
        async with httpx.AsyncClient(headers={"X-Forwarded-For": address}) as browser:
            response = await browser.post(f"http://127.0.0.1:{port}/dev/token", json={"role": "admin"})
    assert response.status_code == status
