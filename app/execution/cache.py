"""What was worked out of texts: the least recently used are forgotten where many or long ones come."""

from __future__ import annotations

from typing import Generic, TypeVar

V = TypeVar("V")


class TextCache(Generic[V]):
    """A document takes some 70 bytes of memory for each of its characters, and each plan as much again."""

    def __init__(self, *, texts: int = 500, characters: int = 200_000) -> None:
        self._texts = texts
        self._characters = characters
        self._held = 0
        self._values: dict[str, V] = {}

    def get(self, text: str) -> V | None:
        value = self._values.pop(text, None)
        if value is not None:
            self._values[text] = value
        return value

    def put(self, text: str, value: V) -> None:
        if text in self._values:
            return
        self._held += len(text)
        self._values[text] = value
        while self._held > self._characters or len(self._values) > self._texts:
            oldest = next(iter(self._values))
            del self._values[oldest]
            self._held -= len(oldest)
