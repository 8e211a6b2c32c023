"""Token buckets limit the rate of operations and of WebSocket frames."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


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
