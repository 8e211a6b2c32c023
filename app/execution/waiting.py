"""Awaits all awaitables of a layer, without a task for each value, and yields to other tasks in long ones."""

from __future__ import annotations

from asyncio import CancelledError, ensure_future, iscoroutine, isfuture, sleep
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from graphql import Undefined

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

T = TypeVar("T")

MAX_UNINTERRUPTED = 1000
"""Values that are processed one by one before other tasks run, which takes up to some ten milliseconds."""
_NULLS = frozenset({type(None), type(Undefined)})


@lru_cache(maxsize=1000)
def is_awaitable_type(type_: type[Any]) -> bool:
    return hasattr(type_, "__await__")


@lru_cache(maxsize=1000)
def is_missing_type(type_: type[Any]) -> bool:
    """Whether values of the type are null, failed, or still to be awaited."""
    return issubclass(type_, Exception) or type_ in _NULLS or is_awaitable_type(type_)  # type: ignore[arg-type] # a class is hashable


def _awaitable_positions(columns: Iterable[list[Any]]) -> list[tuple[list[Any], int]]:
    """Return the column and index of each awaitable. A column has many values, but of few types."""
    positions: list[tuple[list[Any], int]] = []
    for column in columns:
        if len(column) == 1:
            if is_awaitable_type(type(column[0])):  # type: ignore[arg-type] # a class is hashable
                positions.append((column, 0))
        elif types := set(filter(is_awaitable_type, set(map(type, column)))):
            positions += [(column, index) for index, value in enumerate(column) if type(value) in types]
    return positions


def is_long(values: Sequence[object]) -> bool:
    """Whether other tasks should run between two steps that process these values."""
    return len(values) > MAX_UNINTERRUPTED


async def in_pieces(values: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """Yield slices of at most MAX_UNINTERRUPTED values, and let other tasks run in between."""
    for start in range(0, len(values), MAX_UNINTERRUPTED):
        if start:
            await sleep(0)
        yield values[start : start + MAX_UNINTERRUPTED]


async def await_all(columns: Iterable[list[Any]]) -> None:
    """Replace each awaitable, in place, by its value or by the exception that it raised."""
    positions = _awaitable_positions(columns)
    try:
        if len(positions) > 1:
            # Start all of them before the first is awaited.
            async for piece in in_pieces(positions):
                for column, index in piece:
                    column[index] = ensure_future(column[index])
        for column, index in positions:
            try:
                column[index] = await column[index]
            except Exception as error:  # noqa: BLE001 - becomes an error of the field
                column[index] = error
    except CancelledError:
        for column, index in positions:
            if isfuture(column[index]):
                column[index].cancel()
            elif iscoroutine(column[index]):
                column[index].close()
        raise


def attempt(function: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401 - whatever it returns
    """Return the result of the call, or the exception that it raised."""
    try:
        return function(*args)
    except Exception as error:  # noqa: BLE001 - becomes an error of the field
        return error
