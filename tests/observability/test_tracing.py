"""Traces by setting: a span for each request or operation, its statements within."""

from __future__ import annotations

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from structlog.testing import capture_logs

from app.config import SettingsError, load
from app.observability.tracing import Tracing
from tests.apps import authorization, client_of, make_app
from tests.serving import serving
from tests.websocket_client import subscribe, talking

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ACCEPT = "mutation Take($id: ID!) { acceptAssignment(input: {assignmentId: $id}) { __typename } }"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
async def traced(shared_url, tokens, spans):
    return make_app(shared_url, database_pool_size=1, tracing=Tracing(spans))


async def sent_to(app: Any, tokens: Any, query: str, **variables: Any) -> None:
    headers = authorization() | {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    async with client_of(app) as client:
        await client.get("/readyz")  # probes are not worth a span
        await client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)


async def test_a_change_is_a_span_with_its_statements_in_the_callers_trace(traced, tokens, spans, make):
    held = await make.assigned()
    await sent_to(traced, tokens, ACCEPT, id=str(held.id))
    [request] = [span for span in spans.get_finished_spans() if span.kind is SpanKind.SERVER]
    assert request.name == "mutation"
    assert (format(request.context.trace_id, "032x"), format(request.parent.span_id, "016x")) == (
        TRACE,
        PARENT,
    )
    assert dict(request.attributes) == {
        "http.request.method": "POST",
        "url.path": "/graphql",
        "http.response.status_code": 200,
        "graphql.operation.name": "Take",
        "graphql.operation.type": "mutation",
        "baton.code": "OK",
    }
    within = [span for span in spans.get_finished_spans() if span.parent.span_id == request.context.span_id]
    names = [span.name for span in within]
    assert [name for name in names if name != "other"] == [
        "assignments.ticket_snapshot",
        "assignments.save_change",
    ]
    assert all(request.start_time <= span.start_time <= span.end_time <= request.end_time for span in within)
    assert str(held.id) not in "".join(span.to_json() for span in spans.get_finished_spans())


async def test_a_fault_is_an_error(fresh_url, fresh_db, tokens, spans):
    async with fresh_db.connection() as conn:
        await conn.execute("ALTER TABLE service_tickets RENAME customer_name TO client_name")
    app = make_app(fresh_url, database_pool_size=1, tracing=Tracing(spans))
    await sent_to(app, tokens, "{ tickets { nodes { customerName } } }")
    [request] = [span for span in spans.get_finished_spans() if span.name == "query"]
    assert (request.status.is_ok, request.attributes["baton.code"]) == (False, "INTERNAL")
    assert not request.events


async def test_an_operation_of_a_socket_is_a_span(traced, spans):
    with capture_logs():
        async with serving(traced) as served, talking(served.port) as talk:
            await talk.say(subscribe("1", "query Here { tickets { nodes { id } } }"))
            assert [(await talk.hear())["type"] for _ in range(2)] == ["next", "complete"]
    [query] = [span for span in spans.get_finished_spans() if span.name == "query"]
    assert query.attributes["graphql.operation.name"] == "Here"
    assert "tickets.newest_tickets" in [span.name for span in spans.get_finished_spans()]


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    got: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    running = threading.Thread(target=server.serve_forever)
    running.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    running.join()
    server.server_close()


async def test_a_collector_gets_them_when_the_server_ends(collector, monkeypatch, shared_url, tokens, make):
    url, got = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    await make.assigned()
    app = make_app(shared_url, database_pool_size=1, tracing=Tracing())
    await sent_to(app, tokens, "query Q { tickets { nodes { id } } }")
    assert {path for path, _ in got} == {"/v1/traces"}
    assert b"tickets.newest_tickets" in b"".join(body for _, body in got)


def test_without_the_setting_nothing_of_it_is_imported():
    code = "import sys, app.cli; sys.exit(any('opentelemetry' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_endpoint_that_is_no_url_stops_the_start():
    with pytest.raises(SettingsError, match=r"^OTEL_EXPORTER_OTLP_ENDPOINT must begin with http"):
        load({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"})
