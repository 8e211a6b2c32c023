"""Rate limiting: the points that each subject may spend."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from cachetools import LRUCache

from app.token_bucket import TokenBucket

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.graphql.admission.limits import Limits


class RateLimitState(NamedTuple):
    remaining: float
    """Points left in the bucket."""
    wait_s: float
    """Seconds until the operation can be paid for; 0 if it has been paid for."""


class RateLimiter:
    """A bucket per subject, in the memory of one process: each server process has its own."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._buckets: LRUCache[str, TokenBucket] = LRUCache(limits.subjects)

    def consume(self, subject: str, points: int) -> RateLimitState:
        bucket = self._buckets.get(subject)
        if bucket is None:
            bucket = TokenBucket(self._limits.bucket, self._limits.refill_per_s, self._clock)
            self._buckets[subject] = bucket
        wait_s = bucket.consume(points)
        return RateLimitState(bucket.tokens, wait_s)
