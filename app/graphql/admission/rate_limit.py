"""What each subject may still spend: a bucket of points that fills up as time goes by."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.graphql.admission.limits import Limits


class RateLimitState(NamedTuple):
    """How a subject stands after an operation."""

    remaining: float
    wait_s: float
    """Until there is enough for the operation; 0 where it has been paid."""


class RateLimiter:
    """In the memory of one process: each server process has its own."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._levels: dict[str, tuple[float, float]] = {}  # points, and when; least recently used first

    def consume(self, subject: str, points: int) -> RateLimitState:
        """Take the points, or nothing where there are not enough."""
        now = self._clock()
        level, since = self._levels.pop(subject, (self._limits.bucket, now))
        level = min(self._limits.bucket, level + (now - since) * self._limits.refill_per_s)
        missing = points - level
        if missing <= 0:
            level -= points
        self._levels[subject] = (level, now)
        if len(self._levels) > self._limits.subjects:
            del self._levels[next(iter(self._levels))]
        return RateLimitState(level, max(0.0, missing / self._limits.refill_per_s))
