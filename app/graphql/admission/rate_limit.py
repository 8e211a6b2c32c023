"""Token buckets: what a subject may spend, and how many messages a WebSocket may send."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from cachetools import LRUCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.graphql.admission.limits import Limits


class RateLimitState(NamedTuple):
    remaining: float
    """Points left in the bucket; negative if planning took more than were left."""
    wait_s: float
    """Seconds until the operation can be paid for; 0 if it has been paid for."""


class TokenBucket:
    """Full at first; refilled at a constant rate up to its capacity."""

    def __init__(
        self, capacity: float, refill_per_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.tokens = capacity
        self._capacity = capacity
        self._refill_per_s = refill_per_s
        self._clock = clock
        self._refilled_at = clock()

    def consume(self, tokens: float) -> float:
        """Take the tokens, or none if there are too few. Returns the seconds until there are enough, or 0."""
        now = self._clock()
        refill = (now - self._refilled_at) * self._refill_per_s
        self.tokens = min(self._capacity, self.tokens + refill)
        self._refilled_at = now
        missing = tokens - self.tokens
        if missing > 0:
            return missing / self._refill_per_s
        self.tokens -= tokens
        return 0.0


class RateLimiter:
    """A bucket per subject, in the memory of one process: each server process has its own."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._buckets: LRUCache[str, TokenBucket] = LRUCache(limits.subjects)

    def consume(self, subject: str, points: int) -> RateLimitState:
        bucket = self._bucket(subject)
        wait_s = bucket.consume(points)
        return RateLimitState(bucket.tokens, wait_s)

    def spend(self, subject: str, points: int) -> None:
        """Take points for work that is already being done, even if fewer are left: later operations wait."""
        self._bucket(subject).tokens -= points

    def _bucket(self, subject: str) -> TokenBucket:
        bucket = self._buckets.get(subject)
        if bucket is None:
            bucket = TokenBucket(self._limits.bucket, self._limits.refill_per_s, self._clock)
            self._buckets[subject] = bucket
        return bucket
