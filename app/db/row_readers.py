"""Converts the driver's records to the types of rows, column by column.

A value that is not of its field's type is replaced and reported, and nothing else of its row.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache, partial
from itertools import chain, repeat
from operator import attrgetter
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, Union, get_args, get_origin, get_type_hints

import orjson
import structlog

from app.db.errors import UNREADABLE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

log = structlog.get_logger()

_NULLS = repeat(None)
"""An omitted column, of any length."""

Column: TypeAlias = "Iterable[Any]"
Reader: TypeAlias = "Callable[[Iterator[Column]], Column]"
"""Takes the columns it needs from the iterator and returns one column of values."""


class UnreadableValue(NamedTuple):
    """A stored value that is not of its field's type. `row_id` is the first column of its row."""

    row: str
    row_id: object
    field: str


ReportUnreadable: TypeAlias = "Callable[[UnreadableValue], object]"


def column_hints(row: Any, omit: frozenset[str]) -> Iterator[Any]:  # noqa: ANN401 - hints have no common type
    if not is_dataclass(row):
        yield row
        return
    hints = get_type_hints(row)
    for f in fields(row):
        if f.name not in omit:
            yield from column_hints(without_none(hints[f.name]), omit)


def reader_for(row: type[Any], omit: frozenset[str]) -> Reader:
    """Return a reader by position and column, far faster than by name and row. A test checks order and types.

    The last fields may be row types themselves: each takes the next columns, and is None if the first of
    them is null.
    """
    if row is datetime:
        return _read_times
    if not is_dataclass(row):
        convert = converter(row)
        return next if convert is None else lambda columns: map(convert, next(columns))
    hints = get_type_hints(row)
    readers = [
        None if f.name in omit else _field_reader(without_none(hints[f.name]), omit) for f in fields(row)
    ]

    def read(columns: Iterator[Column]) -> Column:
        return map(row, *[_NULLS if reader is None else reader(columns) for reader in readers])

    return read


def _field_reader(hint: Any, omit: frozenset[str]) -> Reader:  # noqa: ANN401 - hints have no common type
    read = reader_for(hint, omit)
    return _none_without_key(read) if is_dataclass(hint) else read


def _none_without_key(read: Reader) -> Reader:
    def read_nested(columns: Iterator[Column]) -> Column:
        first = next(columns)
        values = read(chain([first], columns))
        return [None if key is None else value for key, value in zip(first, values, strict=True)]

    return read_nested


def _read_times(columns: Iterator[Column]) -> Column:
    """Raises ValueError for infinity, which the driver returns as a datetime without a time zone."""
    column = next(columns)
    try:
        zones = set(map(_zone, column))
    except AttributeError:  # of None
        zones = set(map(_zone, filter(None, column)))
    if None in zones:
        raise ValueError
    return column


_zone = attrgetter("tzinfo")


def converter(hint: Any) -> Callable[[Any], Any] | None:  # noqa: ANN401 - as above
    """Return the conversion of one value, with None for null; None if values need no conversion."""
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        # Calling the enum takes ten times as long.
        members: dict[str | None, StrEnum | None] = {None: None}
        return (members | {member.value: member for member in hint}).__getitem__
    if get_origin(hint) is tuple:
        item: Any = get_args(hint)[0]
        if not hasattr(item, "from_json"):
            return lambda array: None if array is None else tuple(array)
        # jsonb is read as text: here an array of objects for the type's from_json.
        from_json = item.from_json
        return lambda text: None if text is None else tuple(from_json(part) for part in orjson.loads(text))
    if get_origin(hint) is dict:
        return lambda text: None if text is None else orjson.loads(text)
    return None


@lru_cache(maxsize=500)  # callers that collect values pass a new `report` each time
def tolerant_reader(row: type[Any], omit: frozenset[str], report: ReportUnreadable) -> Reader:
    """Return a slower reader that replaces and reports what `_reader` cannot convert.

    The replacement is None. For a field that is never None, it is the nearest time, or what the type's
    `from_unreadable_json` returns, or else the error, which then is the error of that field in the API.
    """
    if not is_dataclass(row):
        return reader_for(row, omit)
    hints = get_type_hints(row)
    names = [f.name for f in fields(row)]

    def column_reader(name: str) -> Reader:
        hint = without_none(hints[name])
        return _none_without_key(tolerant_reader(hint, omit, report)) if is_dataclass(hint) else next  # type: ignore[arg-type] # a class is hashable

    readers = [None if name in omit else column_reader(name) for name in names]

    def read(columns: Iterator[Column]) -> Column:
        values = [_NULLS if reader is None else list(reader(columns)) for reader in readers]
        ids = values[0]
        for i, reader in enumerate(readers):
            if reader is next:
                convert = partial(_tolerant_convert, hints[names[i]])
                values[i] = [
                    convert(value, partial(report, UnreadableValue(row.__name__, row_id, names[i])))
                    for row_id, value in zip(ids, values[i], strict=True)
                ]
        return map(row, *values)

    return read


def _tolerant_convert(hint: Any, value: Any, report: Callable[[], object]) -> Any:  # noqa: ANN401 - as above
    inner = without_none(hint)
    try:
        if inner is datetime and value is not None and value.tzinfo is None:
            raise ValueError(value)
        convert = converter(inner)
        return value if convert is None else convert(value)
    except UNREADABLE_ERRORS as error:
        report()
        for item in get_args(inner):
            if hasattr(item, "from_unreadable_json"):
                parts = json.loads(value, parse_int=Decimal, parse_float=Decimal)
                return tuple(map(item.from_unreadable_json, parts))
        if inner is not hint:
            return None
        return value.replace(tzinfo=UTC) if inner is datetime else error


@lru_cache(maxsize=1000)
def log_unreadable(value: UnreadableValue) -> None:
    """Log the value once, not with each read."""
    log.error("unreadable_value", row=value.row, row_id=str(value.row_id), field=value.field)


def without_none(hint: Any) -> Any:  # noqa: ANN401 - as above
    if get_origin(hint) in (UnionType, Union):  # Python 3.11 makes a Union of NewType | None
        (hint,) = (arg for arg in get_args(hint) if arg is not NoneType)
    return hint
