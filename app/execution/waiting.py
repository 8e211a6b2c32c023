"""Waits for all that a level began, without a task for each value."""

from __future__ import annotations

from asyncio import CancelledError, Future, ensure_future
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def is_awaited(kind: type[Any]) -> bool:
    return hasattr(kind, "__await__")


def awaits(column: Iterable[Any]) -> bool:
    """Whether any of the values is to be awaited: a column holds many values, but of few classes."""
    return any(map(is_awaited, set(map(type, column))))


async def settle(columns: Iterable[list[Any]]) -> None:
    """Put in the place of each awaitable what it comes to: a value, or the exception that it raised."""
    waiting = [
        (column, index)
        for column in columns
        if awaits(column)
        for index, value in enumerate(column)
        if is_awaited(type(value))
    ]
    if len(waiting) > 1:
        # All begin before the first is waited for. A future, as loaders give, stays itself.
        for column, index in waiting:
            column[index] = ensure_future(column[index])
    try:
        for column, index in waiting:
            try:
                column[index] = await column[index]
            except Exception as error:  # noqa: BLE001 - whatever a resolver raises is an error of its field
                column[index] = error
    except CancelledError:
        for column, index in waiting:
            if isinstance(column[index], Future):
                column[index].cancel()
        raise


def attempt(function: Callable[..., Any], *given: Any) -> Any:  # noqa: ANN401 - whatever it returns
    """What the function returns, or the exception that it raises."""
    try:
        return function(*given)
    except Exception as error:  # noqa: BLE001 - an error of the field that asks
        return error
