"""Traces: a span per request or operation, with a span per statement."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from structlog.testing import capture_logs

from app.config import SettingsError, load
from app.observability.tracing import Tracing
from tests.apps import authorization, client_of, make_app
from tests.serving import serving
from tests.websocket_client import open_websocket, subscribe

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ACCEPT = "mutation Take($id: ID!) { acceptAssignment(input: {assignmentId: $id}) { __typename } }"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
async def traced(shared_url, spans):
    return make_app(shared_url, database_pool_size=1, tracing=Tracing(spans))


async def send(app: Starlette, query: str, **variables: Any) -> None:
    headers = authorization() | {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    async with client_of(app) as client:
        await client.get("/readyz")  # probes are not traced
        await client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)


async def test_a_mutation_is_a_span_in_the_trace_of_the_caller(traced, spans, make):
    assignment = await make.assigned()
    await send(traced, ACCEPT, id=str(assignment.id))
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
    statements = [
        span for span in spans.get_finished_spans() if span.parent.span_id == request.context.span_id
    ]
    names = [span.name for span in statements]
    assert [name for name in names if name != "other"] == [
        "assignments.ticket_snapshots",
        "assignments.save_changes",
    ]
    assert all(
        request.start_time <= span.start_time <= span.end_time <= request.end_time for span in statements
    )
    assert str(assignment.id) not in "".join(span.to_json() for span in spans.get_finished_spans())


async def test_an_internal_error_is_an_error_span(fresh_url, fresh_db, spans):
    async with fresh_db.connection() as conn:
        await conn.execute("ALTER TABLE service_tickets RENAME customer_name TO client_name")
    app = make_app(fresh_url, database_pool_size=1, tracing=Tracing(spans))
    await send(app, "{ tickets { nodes { customerName } } }")
    [request] = [span for span in spans.get_finished_spans() if span.name == "query"]
    assert (request.status.is_ok, request.attributes["baton.code"]) == (False, "INTERNAL")
    assert not request.events


async def test_a_websocket_operation_is_a_span(traced, spans):
    with capture_logs():
        async with serving(traced) as served, open_websocket(served.port) as ws:
            await ws.send(subscribe("1", "query Here { tickets { nodes { id } } }"))
            assert [(await ws.receive())["type"] for _ in range(2)] == ["next", "complete"]
    [query] = [span for span in spans.get_finished_spans() if span.name == "query"]
    assert query.attributes["graphql.operation.name"] == "Here"
    assert "tickets.newest_tickets" in [span.name for span in spans.get_finished_spans()]


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    requests: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            requests.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    running = threading.Thread(target=server.serve_forever)
    running.start()
    yield f"http://127.0.0.1:{server.server_port}", requests
    server.shutdown()
    running.join()
    server.server_close()


async def test_spans_are_exported_at_shutdown(collector, monkeypatch, shared_url, make):
    url, requests = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    await make.assigned()
    app = make_app(shared_url, database_pool_size=1, tracing=Tracing())
    await send(app, "query Q { tickets { nodes { id } } }")
    assert {path for path, _ in requests} == {"/v1/traces"}
    assert b"tickets.newest_tickets" in b"".join(body for _, body in requests)


def test_opentelemetry_is_not_imported_without_the_setting():
    code = "import sys, app.cli; sys.exit(any('opentelemetry' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_endpoint_that_is_not_a_url_is_refused():
    with pytest.raises(SettingsError, match=r"^OTEL_EXPORTER_OTLP_ENDPOINT must begin with http"):
        load({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"})
