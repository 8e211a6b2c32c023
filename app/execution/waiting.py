"""Waits for all that a level began, without a task for each value."""

from __future__ import annotations

from asyncio import CancelledError, ensure_future, isfuture
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@lru_cache(maxsize=1000)
def is_awaitable_type(kind: type[Any]) -> bool:
    return hasattr(kind, "__await__")


@lru_cache(maxsize=1000)
def _is_begun(kind: type[Any]) -> bool:
    """Whether it is a future, as those that loaders give."""
    return hasattr(kind, "_asyncio_future_blocking")


def awaited_kinds(column: Iterable[Any]) -> set[type[Any]]:
    """The classes of values that are to be awaited: a column holds many values, but of few classes."""
    return set(filter(is_awaitable_type, set(map(type, column))))


def _waiting(columns: Iterable[list[Any]]) -> list[tuple[list[Any], int]]:
    """Where in which column something is to be awaited."""
    found: list[tuple[list[Any], int]] = []
    for column in columns:
        if len(column) == 1:
            if is_awaitable_type(type(column[0])):  # type: ignore[arg-type] # a class is hashable
                found.append((column, 0))
        elif kinds := awaited_kinds(column):
            found += [(column, index) for index, value in enumerate(column) if type(value) in kinds]
    return found


async def await_all(columns: Iterable[list[Any]]) -> None:
    """Put in the place of each awaitable what it comes to: a value, or the exception that it raised."""
    waiting = _waiting(columns)
    if len(waiting) > 1:
        # All begin before the first is waited for.
        for column, index in waiting:
            value = column[index]
            if not _is_begun(type(value)):  # type: ignore[arg-type] # a class is hashable
                column[index] = ensure_future(value)
    try:
        for column, index in waiting:
            try:
                column[index] = await column[index]
            except Exception as error:  # noqa: BLE001 - whatever a resolver raises is an error of its field
                column[index] = error
    except CancelledError:
        for column, index in waiting:
            if isfuture(column[index]):
                column[index].cancel()
        raise


def attempt(function: Callable[..., Any], *given: Any) -> Any:  # noqa: ANN401 - whatever it returns
    """What the function returns, or the exception that it raises."""
    try:
        return function(*given)
    except Exception as error:  # noqa: BLE001 - an error of the field that asks
        return error
