"""Request ids: in the response, the log and the events of a request."""

import io
import json
import logging
import re

import httpx
import jwt
import pytest
import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from app.domain.model import Role
from app.http.middleware import security
from app.http.middleware.request_id import RequestIdMiddleware
from app.observability import logs

NEW = re.compile(r"[0-9a-f]{32}")
ESCALATE = """
mutation ($ticket: ID!, $engineer: ID!) {
    escalateTicket(input: {ticketId: $ticket, nextEngineerId: $engineer, reason: "x"}) { __typename } }
"""


async def test_an_event_has_the_request_id_and_the_token_id(client, make, db, tokens):
    assignment = await make.assigned()
    token = tokens.sign(Role.DISPATCHER, None, ttl_s=60)
    response = await client.post(
        "/graphql",
        json={
            "query": ESCALATE,
            "variables": {"ticket": assignment.ticket_id, "engineer": str(await make.engineer())},
        },
        headers={"Authorization": f"Bearer {token}", "X-Request-Id": "proxy-7:42"},
    )
    assert response.headers.get_list("x-request-id") == ["proxy-7:42"]
    token_id = jwt.decode(token, options={"verify_signature": False})["jti"]
    async with db.connection() as conn:
        rows = await conn.fetch("SELECT type, request_id, token_id FROM ticket_events ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("assigned", None, None),
        ("escalated", "proxy-7:42", token_id),
        ("assigned", "proxy-7:42", token_id),
    ]


@pytest.mark.parametrize(
    "client_id", [None, "", "two words", "x" * 129, "a;b", "ä".encode(), "<b>"], ids=["none", *"abcdef"]
)
async def test_an_invalid_id_is_replaced(client, client_id):
    headers = {} if client_id is None else {"X-Request-Id": client_id}
    ids = [(await client.get("/livez", headers=headers)).headers["x-request-id"] for _ in range(2)]
    assert all(NEW.fullmatch(each) for each in ids)
    assert ids[0] != ids[1]


async def test_an_authentication_error_has_it(client):
    refused = await client.post(
        "/graphql", json={}, headers={"Authorization": "Bearer x", "X-Request-Id": "r-1"}
    )
    assert (refused.status_code, refused.headers["x-request-id"]) == (401, "r-1")


async def test_every_log_line_has_the_id_of_its_request():
    output = io.StringIO()
    before = structlog.get_config()
    logs.set_up(production=True)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(output), cache_logger_on_first_use=False)
    try:

        async def inner(scope, receive, send):
            structlog.get_logger().info("inside")

        app = RequestIdMiddleware(inner)
        for request_id in (b"r-1", b"r-2"):
            await app({"type": "http", "headers": [(b"x-request-id", request_id)]}, None, None)
        structlog.get_logger().info("outside")
    finally:
        structlog.configure(**before)
        logging.getLogger().handlers.clear()
    lines = [json.loads(line) for line in output.getvalue().splitlines()]
    assert [line.get("request_id") for line in lines] == ["r-1", "r-2", None]


async def test_an_uncaught_exception_has_it():
    async def fails(_):
        raise RuntimeError

    app = Starlette(
        routes=[Route("/", fails)],
        middleware=[Middleware(RequestIdMiddleware)],
        exception_handlers={Exception: security.internal_error},
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.get("/", headers={"X-Request-Id": "r-1"})
    assert (response.status_code, response.headers.get_list("x-request-id")) == (500, ["r-1"])
