"""The cache of a BatchLoader."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True, eq=False)
class PendingKeys:
    futures: dict[Any, asyncio.Future[Any]]
    """Of the keys that were requested by themselves."""


_NOT_VALUES = (asyncio.Future, PendingKeys)


class ValueCache(MutableMapping[K, "asyncio.Future[V]"]):
    """Maps keys to futures, as DataLoader needs it, but creates them on request: most values need none."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.stored: dict[K, Any] = {}
        """By key: its value, its future, or the PendingKeys that it belongs to."""
        self._loop = loop

    def values_of(self, keys: Sequence[K | None]) -> dict[K | None, Any] | None:
        """Return the values of the keys that are cached; None if one of them is pending or has failed."""
        stored: dict[K | None, Any] = self.stored  # type: ignore[assignment] # None is never stored
        values = {key: stored[key] for key in keys if key in stored}
        if not any(issubclass(type_, _NOT_VALUES) for type_ in set(map(type, values.values()))):
            return values
        for key, value in values.items():
            if isinstance(value, PendingKeys):
                return None
            if isinstance(value, asyncio.Future):
                if not _has_value(value):
                    return None
                values[key] = value.result()
        return values

    def __getitem__(self, key: K) -> asyncio.Future[V]:
        stored = self.stored[key]
        if isinstance(stored, asyncio.Future):
            return stored
        future: asyncio.Future[V] = self._loop.create_future()
        if isinstance(stored, PendingKeys):
            stored.futures[key] = future
        else:
            future.set_result(stored)
        self.stored[key] = future
        return future

    def __setitem__(self, key: K, future: asyncio.Future[V]) -> None:
        self.stored[key] = future.result() if _has_value(future) else future

    def __delitem__(self, key: K) -> None:
        del self.stored[key]

    def __contains__(self, key: object) -> bool:
        return key in self.stored

    def __iter__(self) -> Iterator[K]:
        return iter(self.stored)

    def __len__(self) -> int:
        return len(self.stored)

    def get(self, key: K, default: Any = None) -> Any:  # noqa: ANN401 - as in Mapping
        return self[key] if key in self.stored else default


def _has_value(future: asyncio.Future[Any]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None
