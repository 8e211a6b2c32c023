"""Gathers what is wanted of one kind while a few of the kind are under way.

One that is wanted alone waits for nobody; the busier the server, the more each of them holds.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

AT_ONCE = 2
"""Of one kind: one is worked on while the other waits for the database."""


class Load(Protocol):
    @property
    def is_full(self) -> bool: ...

    def begin(self) -> asyncio.Task[None] | None:
        """The work; None where nobody wants it any longer."""


T = TypeVar("T", bound=Load)


class Ways(Generic[T]):
    """What has waited for `patience_s` begins anyway: those under way may be held up by the database."""

    def __init__(self, patience_s: float = 0.05) -> None:
        self._patience_s = patience_s
        self._open: dict[Hashable, T] = {}
        self._under_way: Counter[Hashable] = Counter()

    def open(self, kind: Hashable, make: Callable[[], T]) -> T:
        """The one that takes more now: until the event loop's next turn, or until there is a way for it."""
        load = self._open.get(kind)
        if load is not None and load.is_full:
            self._begin(kind)
            load = None
        if load is None:
            load = self._open[kind] = make()
            asyncio.get_running_loop().call_soon(self._begin_soon, kind, load)
        return load

    def _begin_soon(self, kind: Hashable, load: T) -> None:
        self._begin_if_free(kind)
        if self._open.get(kind) is load:
            asyncio.get_running_loop().call_later(self._patience_s, self._begin_late, kind, load)

    def _begin_late(self, kind: Hashable, load: T) -> None:
        if self._open.get(kind) is load:
            self._begin(kind)

    def _begin_if_free(self, kind: Hashable) -> None:
        if kind in self._open and self._under_way[kind] < AT_ONCE:
            self._begin(kind)

    def _begin(self, kind: Hashable) -> None:
        task = self._open.pop(kind).begin()
        if task is not None:
            self._under_way[kind] += 1
            task.add_done_callback(lambda _: self._arrived(kind))

    def _arrived(self, kind: Hashable) -> None:
        self._under_way[kind] -= 1
        if not self._under_way[kind]:
            del self._under_way[kind]
        self._begin_if_free(kind)
