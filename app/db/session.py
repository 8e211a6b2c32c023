"""The connections of the pool: measured, and lent again only with a session that is as it was."""

from __future__ import annotations

import time
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg

from app.db.sql import UNNAMED, name_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

T = TypeVar("T")

_name_of = lru_cache(maxsize=1000)(name_of)  # texts vary by the columns that they leave out

IN_OTHER_WAYS = (
    "copy_from_query",
    "copy_from_table",
    "copy_records_to_table",
    "copy_to_table",
    "cursor",
    "executemany",
    "fetchmany",
    "fetchval",
    "prepare",
    "reset_type_codec",
    "set_builtin_type_codec",
    "set_type_codec",
)
"""The driver's ways to speak to the database without `fetch`, `fetchrow` or `execute`."""


class Session(asyncpg.Connection):
    """Knows whether anything was said that may have changed the session.

    A statement that bears a name changes nothing of it, and a test looks at them all. So a connection that
    has said nothing else saves the round trip in which the driver resets it, and one that has is dropped.
    """

    __slots__ = ("_has_failed", "_is_strange")

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - the driver's own
        super().__init__(*args, **options)
        self._has_failed = self._is_strange = False

    @property
    def is_as_it_was(self) -> bool:
        """It may be lent again without being given back."""
        return not (self._is_strange or self._has_failed or self.is_in_transaction() or self.is_closed())

    async def give_back(self) -> None:
        """Raises InterfaceError, and the pool drops it, where something may have been left behind."""
        if self._is_strange:
            raise asyncpg.InterfaceError("the session may not be as it was")
        if self._has_failed:
            # A cancellation that comes late must not meet the next one's statement.
            await super().execute(self.get_reset_query())
            self._has_failed = False

    async def _timed(self, text: str, answer: Awaitable[T]) -> T:
        """At a fraction of what the driver's query loggers cost."""
        name = _name_of(text)
        if name == UNNAMED:
            self._is_strange = True
        began = time.perf_counter()
        try:
            return await answer
        except BaseException:
            self._has_failed = True
            raise
        finally:
            self._told(name, time.perf_counter() - began)

    def _told(self, name: str, took_s: float) -> None:
        pass

    def fetch(  # type: ignore[override]
        self, query: str, *args: object, timeout: float | None = None
    ) -> Coroutine[Any, Any, Any]:
        return self._timed(query, super().fetch(query, *args, timeout=timeout))

    def fetchrow(  # type: ignore[override]
        self, query: str, *args: object, timeout: float | None = None
    ) -> Coroutine[Any, Any, Any]:
        return self._timed(query, super().fetchrow(query, *args, timeout=timeout))

    def execute(self, query: str, *args: object, timeout: float | None = None) -> Coroutine[Any, Any, Any]:
        return self._timed(query, super().execute(query, *args, timeout=timeout))


def _in_another_way(name: str) -> Callable[..., Any]:
    said = getattr(asyncpg.Connection, name)

    @wraps(said)
    def say(self: Session, *args: object, **options: object) -> Any:  # noqa: ANN401 - as the driver's
        self._is_strange = True
        return said(self, *args, **options)

    return say


for _name in IN_OTHER_WAYS:
    setattr(Session, _name, _in_another_way(_name))


def measured(told: Callable[[str, float], object]) -> type[Session]:
    """`told` hears of each statement at its end: its name, and the seconds that it took."""

    class Measured(Session):
        __slots__ = ()

        def _told(self, name: str, took_s: float) -> None:
            told(name, took_s)

    return Measured


async def give_back(session: asyncpg.Connection[Any]) -> None:
    """As a pool resets what is given back to it."""
    assert isinstance(session, Session)  # noqa: S101 - it was made by a pool of these
    await session.give_back()
