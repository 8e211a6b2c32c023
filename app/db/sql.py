"""Loads the named statements of sql/queries and converts their rows to domain objects.

-- fragment: columns            text that replaces {columns} in this file, {tickets.columns} in others
-- name: tickets_by_ids(ticket_ids)
-- The reason for the statement's form.
SELECT {columns} FROM service_tickets WHERE id = ANY ($1)
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache, lru_cache, partial
from itertools import chain, repeat
from operator import attrgetter
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    NamedTuple,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import orjson
import structlog

from app.db.errors import DRIVER_ERRORS, UNREADABLE_ERRORS, one_line

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence

    from app.db.connections import Connection, Tx

log = structlog.get_logger()

_PACKAGE = Path(__file__).parents[1]
ROOT = _PACKAGE / "_sql" if (_PACKAGE / "_sql").is_dir() else _PACKAGE.parent / "sql"
"""In an installed package inside `app`, in a checkout beside it."""
QUERIES = ROOT / "queries"
MIGRATIONS = ROOT / "migrations"

_FRAGMENT = re.compile(r"\{(?:(?P<file>\w+)\.)?(?P<name>\w+)\}")
_SELECT_LIST = re.compile(r"^SELECT(?P<columns> .*?)\nFROM ", re.MULTILINE | re.DOTALL)
_PART = re.compile(r"^-- (name|fragment): (\w+)(?:\(([\w, ]*)\))?$", re.MULTILINE)

UNNAMED = "other"
"""The name of a statement that is not loaded from sql/queries."""
_TRANSACTION_STATEMENTS = frozenset({"BEGIN;", "COMMIT;", "ROLLBACK;"})

MAX_UNINTERRUPTED = 500
"""Rows that are converted before other tasks run, which takes some milliseconds."""
_NULLS = repeat(None)
"""An omitted column, of any length."""

R = TypeVar("R")

Column: TypeAlias = "Iterable[Any]"
Reader: TypeAlias = "Callable[[Iterator[Column]], Column]"
"""Takes the columns it needs from the iterator and returns one column of values."""


class UnreadableValue(NamedTuple):
    """A stored value that is not of its field's type. `row_id` is the first column of its row."""

    row: str
    row_id: object
    field: str


ReportUnreadable: TypeAlias = "Callable[[UnreadableValue], object]"


class SqlFileError(Exception):
    """A file of sql/queries is malformed or lacks a statement."""


@dataclass(frozen=True, slots=True, eq=False)
class Query(Generic[R]):
    """A named statement and the type of its rows; NoneType if it returns no rows."""

    name: str
    params: tuple[str, ...]
    text: str
    row: type[R]
    _reader: Reader = field(repr=False)
    omitted: frozenset[str] = frozenset()

    async def all(self, conn: Connection, *args: object, omit: frozenset[str] = frozenset()) -> list[R]:
        """Return every row. The columns in `omit` are not read; their fields are None."""
        query = omit_columns(self, omit)
        try:
            records = await conn.fetch(query.text, *args)
        except OverflowError:
            records = await conn.fetch(query.bounded_text, *args)
        if len(records) <= MAX_UNINTERRUPTED:
            return query.read(records)
        rows: list[R] = []
        for start in range(0, len(records), MAX_UNINTERRUPTED):
            rows += query.read(records[start : start + MAX_UNINTERRUPTED])
            await asyncio.sleep(0)
        return rows

    async def stream(self, tx: Tx, *args: object, batch_size: int) -> AsyncGenerator[R, None]:
        """Yield every row, fetched with a cursor: at most `batch_size` of them are in memory."""
        async for record in tx.cursor(self.text, *args, prefetch=batch_size):
            yield self.read([record])[0]

    async def first(self, conn: Connection, *args: object) -> R | None:
        try:
            record = await conn.fetchrow(self.text, *args)
        except OverflowError:
            record = await conn.fetchrow(self.bounded_text, *args)
        return None if record is None else self.read([record])[0]

    async def one(self, conn: Connection, *args: object) -> R:
        """Raises LookupError if there is no row."""
        row = await self.first(conn, *args)
        if row is None:
            raise LookupError(self.name)
        return row

    async def run(self, conn: Connection, *args: object) -> None:
        await conn.execute(self.text, *args)

    def read(self, records: Sequence[Sequence[Any]]) -> list[R]:
        """Convert the driver's records. A value that is not of its field's type is logged and replaced."""
        if not records:
            return []
        try:
            return list(self._reader(zip(*records, strict=True)))
        except UNREADABLE_ERRORS:
            reader = _tolerant_reader(self.row, self.omitted, _log_unreadable)  # type: ignore[arg-type] # as below
            return list(reader(zip(*records, strict=True)))

    async def unreadable_values(
        self, tx: Tx, *args: object, batch_size: int
    ) -> AsyncGenerator[UnreadableValue, None]:
        """Yield the values of all rows that `read` would replace."""
        found: list[UnreadableValue] = []
        reader = _tolerant_reader(self.row, self.omitted, found.append)  # type: ignore[arg-type] # a class is hashable
        async for record in tx.cursor(self.bounded_text, *args, prefetch=batch_size):
            list(reader(zip(record, strict=True)))
            for value in found:
                yield value
            found.clear()

    async def explain_error(self, conn: Connection) -> str | None:
        """Plan the statement, which checks the privileges, too. Returns why it fails; None if it does not."""
        try:
            async with conn.transaction(readonly=True):
                await conn.execute(f"EXPLAIN {self.text}", *[None] * len(self.params))
        except DRIVER_ERRORS as error:
            return one_line(error)
        return None

    @property
    def bounded_text(self) -> str:
        """The statement, with times that `datetime` cannot hold as infinity, which the driver can return."""
        return _bounded_text(self)


LOADED: list[Query[Any]] = []


def load(file: str, name: str, row: type[R]) -> Query[R]:
    """Bind the statement `name` of sql/queries/`file`.sql to its row type."""
    try:
        params, text = statements(file)[name]
    except KeyError:
        raise SqlFileError(f"there is no statement {name!r} in sql/queries/{file}.sql") from None
    query = Query(f"{file}.{name}", params, f"/* {file}.{name} */\n{text}", row, _reader(row, frozenset()))
    LOADED.append(query)
    return query


@lru_cache(maxsize=1000)  # a statement has one text for each set of omitted columns
def statement_name(text: str) -> str:
    """Return the name in the leading comment of a loaded statement, which pg_stat_activity shows, too."""
    if text.startswith("/* "):
        return text[3 : text.index(" */")]
    return text.rstrip(";").lower() if text in _TRANSACTION_STATEMENTS else UNNAMED


@cache
def statements(file: str) -> dict[str, tuple[tuple[str, ...], str]]:
    """Return the parameters and the text of each statement of a file, with fragments expanded."""
    return {
        name: (tuple(re.findall(r"\w+", params)), _expand(text, file))
        for name, (kind, params, text) in _parts(file).items()
        if kind == "name"
    }


@cache
def _parts(file: str) -> dict[str, tuple[str, str, str]]:
    """Return the kind (name or fragment), the parameters and the text of each part of a file, by name."""
    result: dict[str, tuple[str, str, str]] = {}
    parts = _PART.split((QUERIES / f"{file}.sql").read_text(encoding="utf-8"))[1:]
    for kind, name, params, text in zip(parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=True):
        if name in result:
            raise SqlFileError(f"{name!r} is defined twice in sql/queries/{file}.sql")
        result[name] = kind, params or "", text.strip().removesuffix(";")
    return result


def _expand(text: str, file: str) -> str:
    """Replace references to fragments. A fragment may refer to others, by default of its own file."""

    def fragment(reference: re.Match[str]) -> str:
        source = reference["file"] or file
        return _expand(_parts(source)[reference["name"]][-1], source)

    return _FRAGMENT.sub(fragment, text)


@lru_cache(maxsize=500)
def omit_columns(query: Query[R], names: frozenset[str]) -> Query[R]:
    """Remove columns from the SELECT list."""
    if not names:
        return query
    columns = [
        column for column in selected_columns(query) if column.split()[-1].rpartition(".")[2] not in names
    ]
    return replace(query, text=select(query, columns), _reader=_reader(query.row, names), omitted=names)


def selected_columns(query: Query[Any]) -> list[str]:
    """Return the SELECT list, which contains column names only."""
    return _SELECT_LIST.search(query.text)["columns"].split(",")  # type: ignore[index] # it has one


def select(query: Query[Any], columns: Sequence[str]) -> str:
    """Return the statement with other columns."""
    start, end = _SELECT_LIST.search(query.text).span("columns")  # type: ignore[union-attr] # as above
    return query.text[:start] + ",".join(columns) + query.text[end:]


@lru_cache(maxsize=500)
def _bounded_text(query: Query[Any]) -> str:
    hints = list(_column_hints(query.row, query.omitted))
    selected = ", ".join(
        f"""CASE WHEN c{i} > '9999-12-31 23:59:59.999999+00' THEN 'infinity'
            WHEN c{i} < '0001-01-01 00:00:00+00' THEN '-infinity' ELSE c{i} END"""
        if hint is datetime
        else f"c{i}"
        for i, hint in enumerate(hints)
    )
    names = ", ".join(f"c{i}" for i in range(len(hints)))
    return f"/* {query.name} */ SELECT {selected}\nFROM (\n{query.text}\n) AS q ({names})"


def _column_hints(row: Any, omit: frozenset[str]) -> Iterator[Any]:  # noqa: ANN401 - hints have no common type
    if not is_dataclass(row):
        yield row
        return
    hints = get_type_hints(row)
    for f in fields(row):
        if f.name not in omit:
            yield from _column_hints(without_none(hints[f.name]), omit)


def _reader(row: type[Any], omit: frozenset[str]) -> Reader:
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
    read = _reader(hint, omit)
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
    return None


@lru_cache(maxsize=500)  # callers that collect values pass a new `report` each time
def _tolerant_reader(row: type[Any], omit: frozenset[str], report: ReportUnreadable) -> Reader:
    """Return a slower reader that replaces and reports what `_reader` cannot convert.

    The replacement is None. For a field that is never None, it is the nearest time, or what the type's
    `from_unreadable_json` returns, or else the error, which then is the error of that field in the API.
    """
    if not is_dataclass(row):
        return _reader(row, omit)
    hints = get_type_hints(row)
    names = [f.name for f in fields(row)]

    def column_reader(name: str) -> Reader:
        hint = without_none(hints[name])
        return _none_without_key(_tolerant_reader(hint, omit, report)) if is_dataclass(hint) else next  # type: ignore[arg-type] # a class is hashable

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
def _log_unreadable(value: UnreadableValue) -> None:
    """Log the value once, not with each read."""
    log.error("unreadable_value", row=value.row, row_id=str(value.row_id), field=value.field)


def without_none(hint: Any) -> Any:  # noqa: ANN401 - as above
    if get_origin(hint) in (UnionType, Union):  # Python 3.11 makes a Union of NewType | None
        (hint,) = (arg for arg in get_args(hint) if arg is not NoneType)
    return hint
