"""Limits the long-lived connections of each subject, so that no subject can use them all up."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.observability.metrics import Metrics


class TooManyStreams(Exception):
    """The subject has reached its limit of open streams."""


class StreamLimit:
    """In the memory of one process: each server process counts its own streams."""

    def __init__(self, max_per_subject: int, metrics: Metrics) -> None:
        self._max = max_per_subject
        self._metrics = metrics
        self._open: Counter[str] = Counter()

    @contextmanager
    def acquire(self, subject: str, transport: str) -> Iterator[None]:
        """Count a stream until the context is left. Raises TooManyStreams."""
        if self._open[subject] >= self._max:
            raise TooManyStreams
        self._open[subject] += 1
        try:
            with self._metrics.streams(transport).track_inprogress():
                yield
        finally:
            self._open[subject] -= 1
            if not self._open[subject]:
                del self._open[subject]
