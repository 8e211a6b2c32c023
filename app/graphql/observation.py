"""Records the name and outcome of each operation, for metrics, logs and traces."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from graphql import OperationType

from app.observability.logs import level_of
from app.observability.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphql import GraphQLError, OperationDefinitionNode

    from app.domain.errors import DomainError

log = structlog.get_logger()

OK = "OK"
_OTHER = "other"
_MAX_NAME_LENGTH = 64
# If there are several errors, the one that needs attention.
_FAULTS = ("INTERNAL", "UNAVAILABLE", "TIMEOUT")


@dataclass(slots=True)
class Observation:
    metrics: Metrics
    log_fields: dict[str, Any]
    """Of the log line and the trace."""
    transport: str
    """http, sse or ws."""
    _label: str = field(default=_OTHER, init=False)
    _type: OperationType | None = field(default=None, init=False)
    _code: str = field(default=OK, init=False)
    _started_at: float = field(default_factory=time.perf_counter, init=False)

    def set_operation(self, operation: OperationDefinitionNode, *, trusted: bool) -> None:
        """A name that is not `trusted` is logged, but is no metric label: clients could create any number."""
        name = operation.name.value if operation.name else "anonymous"
        self._type = operation.operation
        self._label = name if trusted else _OTHER
        self.log_fields |= {"operation": name[:_MAX_NAME_LENGTH], "type": self._type.value}

    def record_refusal(self, mutation: str, refusal: DomainError) -> None:
        self.metrics.refusals(mutation, refusal.code).inc()
        self.log_fields.setdefault("refusals", []).append(refusal.code.value)

    def record_errors(self, errors: Sequence[GraphQLError]) -> None:
        """Record masked errors: each has a code."""
        if errors:
            codes = [str((error.extensions or {})["code"]) for error in errors]
            self._code = next((code for code in _FAULTS if code in codes), codes[0])

    def close(self) -> None:
        duration_s = time.perf_counter() - self._started_at
        type_ = self._type.value if self._type else "none"
        self.log_fields["code"] = self._code
        self.metrics.operations(self._label, type_, self.transport, self._code).inc()
        if self._type is not OperationType.SUBSCRIPTION:  # which lasts until the client leaves
            self.metrics.operation_seconds(type_, self.transport).observe(duration_s)
        if self.transport == "ws":  # over HTTP, the request's log line has the fields
            log.log(level_of(self._code), "operation", **self.log_fields, ms=round(duration_s * 1000, 1))
