"""Each request has an id, by which its answer, its log lines and what it changed are found together."""

from __future__ import annotations

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


async def test_an_event_tells_its_request_and_its_token(client, make, db, tokens):
    held = await make.assigned()
    token = tokens.sign(Role.DISPATCHER, None, ttl_s=60)
    answer = await client.post(
        "/graphql",
        json={
            "query": ESCALATE,
            "variables": {"ticket": held.ticket_id, "engineer": str(await make.engineer())},
        },
        headers={"Authorization": f"Bearer {token}", "X-Request-Id": "proxy-7:42"},
    )
    assert answer.headers.get_list("x-request-id") == ["proxy-7:42"]
    token_id = jwt.decode(token, options={"verify_signature": False})["jti"]
    async with db.connection() as conn:
        rows = await conn.fetch("SELECT type, request_id, token_id FROM assignment_events ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("assigned", None, None),
        ("escalated", "proxy-7:42", token_id),
        ("assigned", "proxy-7:42", token_id),
    ]


@pytest.mark.parametrize(
    "given", [None, "", "two words", "x" * 129, "a;b", "ä".encode(), "<b>"], ids=["none", *"abcdef"]
)
async def test_an_id_that_is_not_sane_is_replaced(client, given):
    headers = {} if given is None else {"X-Request-Id": given}
    ids = [(await client.get("/livez", headers=headers)).headers["x-request-id"] for _ in range(2)]
    assert all(NEW.fullmatch(each) for each in ids)
    assert ids[0] != ids[1]


async def test_refusals_before_graphql_have_it_too(client):
    refused = await client.post(
        "/graphql", json={}, headers={"Authorization": "Bearer x", "X-Request-Id": "r-1"}
    )
    assert (refused.status_code, refused.headers["x-request-id"]) == (401, "r-1")


async def test_every_line_of_the_log_has_it_and_only_its_own():
    said = io.StringIO()
    before = structlog.get_config()
    logs.set_up(production=True)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(said), cache_logger_on_first_use=False)
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
    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    assert [line.get("request_id") for line in lines] == ["r-1", "r-2", None]


async def test_a_fault_that_nothing_catches_has_it():
    async def fails(_):
        raise RuntimeError

    app = Starlette(
        routes=[Route("/", fails)],
        middleware=[Middleware(RequestIdMiddleware)],
        exception_handlers={Exception: security.fault},
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/", headers={"X-Request-Id": "r-1"})
    assert (answer.status_code, answer.headers.get_list("x-request-id")) == (500, ["r-1"])
