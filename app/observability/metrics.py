"""Metrics for Prometheus. docs/operations.md lists them."""

from __future__ import annotations

import platform
import re
from functools import cache, partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

M = TypeVar("M", Counter, Gauge, Histogram)

CONTENT_TYPE = CONTENT_TYPE_LATEST
_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds, up to the statement timeout."""
_WAITS = (0.0001, 0.001, 0.01, 0.1, 0.5, 1, 2, 5)
_LAGS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
_SIZES = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)

OLD_NAMES = {
    b"baton_coalesced_queries": b"baton_company_size",  # language: quoted
    b"baton_ticket_lock_wait_seconds": b"baton_turn_wait_seconds",
    b"baton_replica_reads_total": b"baton_standby_reads_total",
    b"baton_feed_subscribers": b"baton_feed_followers",
    b"baton_feed_last_poll_timestamp_seconds": b"baton_feed_last_look_timestamp_seconds",
    b"baton_feed_reconnects_total": b"baton_feed_connection_losses_total",
}
"""Exported for one release, so that dashboards and alerts can follow."""
_RENAMED = re.compile(rb"(?:# (?:HELP|TYPE) )?(%s)" % b"|".join(OLD_NAMES))

# Nothing uses the time when a series was created, and it would double the number of samples.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The metrics of one application, in its own registry: several in one process do not add up.

    No label contains text from a client, so that clients cannot create series without a limit. A metric with
    labels is called with their values; `cache` finds the child ten times faster than the library does.
    """

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("baton_build", "The running release.", registry=registry).info(
            {"version": version("baton"), "python": platform.python_version()}
        )

        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        histogram = partial(Histogram, registry=registry)
        counters = _labelled(counter)
        gauges = _labelled(gauge)
        histograms = _labelled(histogram)

        self.responses = counters("baton_http_responses_total", "HTTP responses.", ["path", "status"])
        self.operations = counters(
            "baton_operations_total",
            "Finished operations; `operation` is `other` unless it is in a trusted document.",
            ["operation", "type", "transport", "code"],
        )
        self.operation_seconds = histograms(
            "baton_operation_duration_seconds",
            "Duration of queries and mutations.",
            ["type", "transport"],
            buckets=_FAST,
        )
        self.refusals = counters(
            "baton_refusals_total", "Mutations rejected by a business rule.", ["mutation", "code"]
        )
        self.streams = gauges("baton_open_streams", "Open WebSockets and event streams.", ["transport"])
        self.loader_keys = histograms(
            "baton_loader_batch_size",
            "Keys of one dataloader batch, which concurrent operations share.",
            ["loader"],
            buckets=_SIZES,
        )
        self.coalesced_queries = histogram(
            "baton_coalesced_queries", "Queries in one coalesced execution.", buckets=_SIZES
        )

        self.pool_connections = gauges("baton_pool_connections", "Connections to the database.", ["state"])
        self.pool_waiting = gauge("baton_pool_waiting", "Requests that are waiting for a connection.")
        self.acquire_seconds = histogram(
            "baton_pool_acquire_seconds", "Waits for a connection, timeouts included.", buckets=_WAITS
        )
        self.statement_seconds = histograms(
            "baton_statement_duration_seconds",
            "Duration of statements by their names in sql/queries, lock waits included.",
            ["statement"],
            buckets=_FAST,
        )
        self.ticket_lock_wait_seconds = histogram(
            "baton_ticket_lock_wait_seconds",
            "Waits for other changes of the same ticket in this server.",
            buckets=_WAITS,
        )
        self.retries = counters("baton_transaction_retries_total", "Retried transactions.", ["cause"])
        self.unknown_outcomes = counter(
            "baton_transaction_unknown_outcomes_total",
            "Commits with an unknown outcome: the connection was lost before the database answered.",
        )

        self.replica_reads = counters(
            "baton_replica_reads_total",
            "Reads by replicas, and reads that the primary took over from a late or unavailable one.",
            ["outcome"],
        )

        self.feed_subscribers = gauge("baton_feed_subscribers", "Subscriptions to the event feed.")
        self.feed_gaps = gauge(
            "baton_feed_gaps", "Ranges of event ids that an open transaction may still fill."
        )
        self.feed_lag = histogram(
            "baton_feed_lag_seconds",
            "Time from the start of a change to the delivery of its event to subscribers.",
            buckets=_LAGS,
        )
        self.feed_last_poll = gauge(
            "baton_feed_last_poll_timestamp_seconds", "Time when the feed last polled for events."
        )
        self.feed_reconnects = counter(
            "baton_feed_reconnects_total", "Times that the feed had to reconnect to the database."
        )

        self.jobs = counters("baton_job_runs_total", "Runs of periodic jobs.", ["job", "outcome"])
        self.escalations = counters(
            "baton_auto_escalations_total", "Assignments that were not accepted in time.", ["outcome"]
        )

    def watch_pool(
        self, size: Callable[[], int], idle: Callable[[], int], waiting: Callable[[], int]
    ) -> None:
        """Call these functions at every scrape."""
        self.pool_connections("idle").set_function(idle)
        self.pool_connections("used").set_function(lambda: size() - idle())
        self.pool_waiting.set_function(waiting)

    def text(self) -> bytes:
        """All metrics in the format of CONTENT_TYPE; renamed ones under their old names, too."""
        text = generate_latest(self._registry)
        return text + b"".join(
            line.replace(match[1], OLD_NAMES[match[1]], 1)
            for line in text.splitlines(keepends=True)
            if (match := _RENAMED.match(line))
        )


def _labelled(metric: Callable[..., M]) -> Callable[..., Callable[..., M]]:
    """Return a function that declares a metric with labels, and returns its cached `labels`."""

    def declare(*args: Any, **options: Any) -> Callable[..., M]:  # noqa: ANN401 - those of `metric`
        return cache(metric(*args, **options).labels)

    return declare
