"""When the garbage collector runs: not in the middle of a large response."""

from __future__ import annotations

import gc
import time

NEW_OBJECTS = 50_000
"""New objects before a collection of them. A large response creates a thousand, nearly all without cycles."""
_COLLECTIONS_OF_SURVIVORS = 2
"""Such collections before one of the objects that survived them."""
_NEVER = 1_000_000
INTERVAL_S = 60
"""Between full collections of an idle server."""
LATEST_S = 600
"""Between full collections of a server that is always busy."""


class FullCollections:
    """Collects all objects while the server is idle.

    The collector would do so while a response of a million values exists, and take half a second.
    """

    def __init__(self) -> None:
        # What exists after startup stays: a full collection of it took up to 0.3 s each time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(NEW_OBJECTS, _COLLECTIONS_OF_SURVIVORS, _NEVER)
        self._last = time.monotonic()

    def collect(self, *, is_idle: bool) -> None:
        """Collect if the last time is INTERVAL_S ago; if the server is busy, only after LATEST_S."""
        if time.monotonic() - self._last > (INTERVAL_S if is_idle else LATEST_S):
            gc.collect()
            self._last = time.monotonic()
