"""What became of an operation, for metrics, log and traces: its name and its outcome, no more of it."""

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
_LONGEST_NAME = 64
# Of several errors, the one that somebody has to do something about.
_FAULTS = ("INTERNAL", "UNAVAILABLE", "TIMEOUT")


@dataclass(slots=True)
class Observation:
    metrics: Metrics
    log_fields: dict[str, Any]
    """What the log and the trace say."""
    transport: str
    """http, sse or ws."""
    _label: str = field(default=_OTHER, init=False)
    _kind: OperationType | None = field(default=None, init=False)
    _code: str = field(default=OK, init=False)
    _began: float = field(default_factory=time.perf_counter, init=False)

    def set_operation(self, operation: OperationDefinitionNode, *, trusted: bool) -> None:
        """Know what runs. Who is not `trusted` may choose any name: it is logged, but not counted by."""
        name = operation.name.value if operation.name else "anonymous"
        self._kind = operation.operation
        self._label = name if trusted else _OTHER
        self.log_fields |= {"operation": name[:_LONGEST_NAME], "type": self._kind.value}

    def record_refusal(self, mutation: str, refusal: DomainError) -> None:
        self.metrics.refusals(mutation, refusal.code).inc()
        self.log_fields.setdefault("refusals", []).append(refusal.code.value)

    def record_errors(self, errors: Sequence[GraphQLError] | None) -> None:
        """The errors as they are shown: each has a code."""
        if errors:
            codes = [str((error.extensions or {})["code"]) for error in errors]
            self._code = next((code for code in _FAULTS if code in codes), codes[0])

    def close(self) -> None:
        took_s = time.perf_counter() - self._began
        kind = self._kind.value if self._kind else "none"
        self.log_fields["code"] = self._code
        self.metrics.operations(self._label, kind, self.transport, self._code).inc()
        if self._kind is not OperationType.SUBSCRIPTION:  # which lasts as long as the client likes
            self.metrics.operation_seconds(kind, self.transport).observe(took_s)
        if self.transport == "ws":  # over HTTP, the line of the request says it
            log.log(level_of(self._code), "operation", **self.log_fields, ms=round(took_s * 1000, 1))
