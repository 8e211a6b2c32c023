"""OpenTelemetry: a span per request or operation, and one per statement.

Imported only if traces are configured, since it needs the extra `otel`.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bound_contextvars

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.sdk.trace.export import SpanExporter

_ATTRIBUTES = {
    "method": "http.request.method",
    "path": "url.path",
    "status": "http.response.status_code",
    "operation": "graphql.operation.name",
    "type": "graphql.operation.type",
    "code": "baton.code",
    "refusals": "baton.refusals",
}
_ERROR_CODES = ("INTERNAL", "UNAVAILABLE", "TIMEOUT")


class Tracing:
    """The SDK reads its own variables: OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER and so on."""

    def __init__(self, exporter: SpanExporter | None = None) -> None:
        name = os.environ.get("OTEL_SERVICE_NAME", "baton")
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": name, "service.version": version("baton")})
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("baton")
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(self, log_fields: dict[str, Any], headers: Sequence[tuple[bytes, bytes]]) -> Iterator[None]:
        """A child of the span in `headers`, if any. `log_fields` become its attributes when it ends."""
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
        parent = self._propagator.extract(carrier)
        with self._tracer.start_as_current_span("request", context=parent, kind=SpanKind.SERVER) as span:
            with bound_contextvars(trace_id=format_trace_id(span.get_span_context().trace_id)):
                yield
            # Clients choose operation names without limit, so the type is the name of the span.
            span.update_name(log_fields.get("type") or log_fields.get("method", "operation"))
            for name, value in log_fields.items():
                if name in _ATTRIBUTES:
                    span.set_attribute(_ATTRIBUTES[name], value)
            if log_fields.get("code") in _ERROR_CODES:
                span.set_status(StatusCode.ERROR)

    def statement(self, name: str, duration_s: float) -> None:
        """Record a statement that has just ended. Those outside of a request, as in jobs, are not traced."""
        if not trace.get_current_span().get_span_context().is_valid:
            return
        end_ns = time.time_ns()
        self._tracer.start_span(
            name,
            kind=SpanKind.CLIENT,
            attributes={"db.system.name": "postgresql", "db.query.summary": name},
            start_time=end_ns - int(duration_s * 1e9),
        ).end(end_ns)

    def close(self) -> None:
        """Export the remaining spans."""
        self._provider.shutdown()
