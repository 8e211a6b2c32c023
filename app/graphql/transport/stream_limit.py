"""How many long-lived connections each subject has, so that nobody takes them all."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.observability.metrics import Metrics


class TooManyStreams(Exception):
    """The subject has as many open as it may."""


class StreamLimit:
    """In the memory of one process: each server process counts its own."""

    def __init__(self, most_of_subject: int, metrics: Metrics) -> None:
        self._most = most_of_subject
        self._metrics = metrics
        self._open: Counter[str] = Counter()

    @contextmanager
    def acquire(self, subject: str, transport: str) -> Iterator[None]:
        """Raises TooManyStreams."""
        if self._open[subject] >= self._most:
            raise TooManyStreams
        self._open[subject] += 1
        try:
            with self._metrics.streams(transport).track_inprogress():
                yield
        finally:
            self._open[subject] -= 1
            if not self._open[subject]:
                del self._open[subject]
