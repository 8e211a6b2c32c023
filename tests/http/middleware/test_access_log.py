"""The access log: one JSON line per request, without personal data."""

import io
import json
import logging
from typing import Any

import pytest
import structlog

from app.observability import logs
from app.server.server import config
from tests.apps import authorization, client_of, make_app
from tests.serving import serving
from tests.websocket_client import open_websocket, subscribe

ASSIGN = """mutation Assign($input: AssignTicketInput!) {
    assignTicket(input: $input) { __typename ... on Refusal { code } } }"""
SECRETS = ("Clinic", "Ana Lima", "Bearer", "eyJ", "customer", "dispatcher@", "127.0.0.1")


class Lines:
    def __init__(self) -> None:
        self.output = io.StringIO()

    @property
    def text(self) -> str:
        return self.output.getvalue()

    def __call__(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in lines if line["event"] == event]


@pytest.fixture
def lines(monkeypatch):
    """The log as a server in production writes it."""
    lines = Lines()
    before, handlers = structlog.get_config(), logging.getLogger().handlers[:]
    monkeypatch.setattr("sys.stdout", lines.output)
    logs.set_up(production=True)
    structlog.configure(
        logger_factory=structlog.WriteLoggerFactory(lines.output), cache_logger_on_first_use=False
    )
    yield lines
    structlog.configure(**before)
    logging.getLogger().handlers[:] = handlers


async def test_a_request_is_one_line(lines, client):
    await client.post(
        "/graphql?secret=1", json={"query": "query Mine { viewer { role } }"}, headers={"X-Request-Id": "r-1"}
    )
    [line] = lines("request")
    assert line.pop("ms") >= 0
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "request_id": "r-1",
        "method": "POST",
        "path": "/graphql",
        "status": 200,
        "operation": "Mine",
        "type": "query",
        "code": "OK",
    }


async def test_a_refusal_is_logged_by_its_code(lines, client, make):
    assignment = await make.assigned()
    command = {"ticketId": assignment.ticket_id, "engineerId": str(await make.engineer())}
    await client.post("/graphql", json={"query": ASSIGN, "variables": {"input": command}})
    [line] = lines("request")
    assert (line["code"], line["refusals"], line["level"]) == ("OK", ["TICKET_ALREADY_ASSIGNED"], "info")


@pytest.mark.parametrize(
    ("query", "code", "level"),
    [
        ("{", "BAD_USER_INPUT", "info"),
        ("{ viewer { role } tickets { nodes { customerName } } }", "INTERNAL", "error"),
    ],
)
async def test_only_server_errors_are_logged_as_errors(lines, fresh_url, fresh_db, query, code, level):
    app = make_app(fresh_url, database_pool_size=1)
    async with fresh_db.connection() as conn:
        await conn.execute("ALTER TABLE service_tickets RENAME customer_name TO client_name")
    async with client_of(app, headers=authorization()) as client:
        await client.post("/graphql", json={"query": query})
    [line] = lines("request")
    assert (line["code"], line["level"]) == (code, level)


async def test_no_personal_data_is_logged(lines, client, make):
    ticket = await make.ticket(customer_name="Clinic of Secrets")
    engineer = await make.engineer(name="Ana Lima", email="ana@clinic.example")
    command = {"ticketId": ticket, "engineerId": str(engineer), "reason": "The Clinic asked for Ana Lima"}
    await client.post("/graphql", json={"query": ASSIGN, "variables": {"input": command}})
    find = 'query { tickets(filter: {search: "Clinic"}) { nodes { customerName } } }'
    await client.get("/graphql", params={"query": find})
    await client.post("/graphql", json={"query": find + " Clinic"})
    await client.post("/graphql", json={}, headers={"Authorization": "Bearer eyJ.wrong.token"})
    await client.get("/nothing", params={"customer": "Clinic"})
    assert len(lines("request")) == 5
    assert [secret for secret in SECRETS if secret in lines.text] == []


async def test_successful_probes_and_scrapes_are_not_logged(lines, client):
    for path in ("/livez", "/readyz", "/metrics", "/graphql"):
        await client.get(path)
    assert [line["path"] for line in lines("request")] == ["/graphql"]


async def test_each_operation_of_a_websocket_is_logged(lines, shared_url):
    app = make_app(shared_url, database_pool_size=1)
    async with serving(app) as served, open_websocket(served.port) as ws:
        await ws.send(subscribe("1", "query Here { viewer { role } }"))
        assert [(await ws.receive())["type"] for _ in range(2)] == ["next", "complete"]
    [line] = lines("operation")
    assert (line["operation"], line["type"], line["code"]) == ("Here", "query", "OK")
    assert line["request_id"]
    assert [secret for secret in SECRETS if secret in lines.text] == []


async def test_long_names_and_paths_are_truncated(lines, client):
    await client.post("/graphql", json={"query": f"query {'N' * 1000} {{ viewer {{ role }} }}"})
    await client.get("/" + "p" * 1000)
    operation, path = lines("request")
    assert (len(operation["operation"]), len(path["path"])) == (64, 200)


def test_libraries_log_in_json_too(lines, app):
    config(app, "127.0.0.1", 0)  # uvicorn must not configure its own logging
    logging.getLogger("uvicorn.error").error("It went %s", "wrong", exc_info=ValueError())
    logging.getLogger("uvicorn.access").info("not logged")
    [line] = lines("It went wrong")
    assert (line["level"], line["logger"]) == ("error", "uvicorn.error")
    assert "ValueError" in line["exception"]
    assert len(lines.text.splitlines()) == 1


def test_text_that_cannot_be_encoded_is_logged_escaped(lines):
    structlog.get_logger().info("odd", path="\ud800")
    assert lines("odd")[0]["path"] == "\ud800"


@pytest.fixture
def app(shared_url):
    return make_app(shared_url)
