"""What the server counts of itself, for Prometheus: docs/operations.md lists it."""

from __future__ import annotations

import platform
from functools import cache, partial
from importlib.metadata import version
from typing import TYPE_CHECKING

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

CONTENT_TYPE = CONTENT_TYPE_LATEST
_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds, up to what a statement may take."""
_WAITS = (0.0001, 0.001, 0.01, 0.1, 0.5, 1, 2, 5)
_LAGS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
_SIZES = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)

# A second sample for every series, with the time when it began, which nothing of ours asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """Of one application, in a registry of its own: several in one process do not add up.

    No label holds what a client has written, so that nobody can make the server keep ever more series.
    What has labels is called with their values; kept ones are found ten times faster than by the library.
    """

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("baton_build", "The release that runs.", registry=registry).info(
            {"version": version("baton"), "python": platform.python_version()}
        )

        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        histogram = partial(Histogram, registry=registry)

        self.responses = cache(
            counter("baton_http_responses_total", "Answers over HTTP.", ["path", "status"]).labels
        )
        self.operations = cache(
            counter(
                "baton_operations_total",
                "Operations that have ended; `other` stands for names that are not of trusted documents.",
                ["operation", "type", "transport", "code"],
            ).labels
        )
        self.operation_seconds = cache(
            histogram(
                "baton_operation_duration_seconds",
                "What queries and mutations took.",
                ["type", "transport"],
                buckets=_FAST,
            ).labels
        )
        self.refusals = cache(
            counter(
                "baton_refusals_total", "Mutations that changed nothing, and why.", ["mutation", "code"]
            ).labels
        )
        self.streams = cache(
            gauge("baton_open_streams", "WebSockets and event streams.", ["transport"]).labels
        )
        self.loader_keys = cache(
            histogram(
                "baton_loader_batch_size",
                "Keys that dataloaders read at once, those of several operations together.",
                ["loader"],
                buckets=_SIZES,
            ).labels
        )
        self.coalesced_queries = histogram(
            "baton_company_size", "Queries that were executed as one.", buckets=_SIZES
        )

        self.pool_connections = cache(
            gauge("baton_pool_connections", "Connections to the database.", ["state"]).labels
        )
        self.pool_waiting = gauge("baton_pool_waiting", "Requests that wait for a connection now.")
        self.acquire_seconds = histogram(
            "baton_pool_acquire_seconds", "Waits for a connection, those in vain included.", buckets=_WAITS
        )
        self.statement_seconds = cache(
            histogram(
                "baton_statement_duration_seconds",
                "Statements by their names in sql/queries, with all that they waited for in the database.",
                ["statement"],
                buckets=_FAST,
            ).labels
        )
        self.turn_seconds = histogram(
            "baton_turn_wait_seconds",
            "Waits for this server's other changes of the same ticket.",
            buckets=_WAITS,
        )
        self.retries = cache(
            counter("baton_transaction_retries_total", "Transactions tried again, and why.", ["cause"]).labels
        )
        self.unknown_outcomes = counter(
            "baton_transaction_unknown_outcomes_total",
            "COMMITs of which nobody knows whether they happened.",
        )

        self.standby_reads = cache(
            counter(
                "baton_standby_reads_total",
                "Reads that a standby served, or left to the primary because it was behind or away.",
                ["outcome"],
            ).labels
        )

        self.followers = gauge("baton_feed_followers", "Subscriptions that follow events.")
        self.feed_gaps = gauge(
            "baton_feed_gaps", "Ranges of event ids that a slower transaction may still fill."
        )
        self.feed_lag = histogram(
            "baton_feed_lag_seconds",
            "From the start of a change until its followers are told.",
            buckets=_LAGS,
        )
        self.feed_looked = gauge(
            "baton_feed_last_look_timestamp_seconds", "When events were last looked for."
        )
        self.feed_losses = counter(
            "baton_feed_connection_losses_total", "Times that the feed had to connect again."
        )

        self.jobs = cache(
            counter("baton_job_runs_total", "What the server does by itself.", ["job", "outcome"]).labels
        )
        self.escalations = cache(
            counter(
                "baton_auto_escalations_total", "Assignments that nobody accepted in time.", ["outcome"]
            ).labels
        )

    def watch_pool(
        self, size: Callable[[], int], idle: Callable[[], int], waiting: Callable[[], int]
    ) -> None:
        """Ask these whenever somebody looks."""
        self.pool_connections("idle").set_function(idle)
        self.pool_connections("used").set_function(lambda: size() - idle())
        self.pool_waiting.set_function(waiting)

    def text(self) -> bytes:
        """All of it, as CONTENT_TYPE says."""
        return generate_latest(self._registry)
