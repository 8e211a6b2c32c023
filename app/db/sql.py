"""Loads the named statements of sql/queries and converts their rows to domain objects.

-- fragment: columns            text that replaces {columns} in this file, {tickets.columns} in others
-- name: tickets_by_ids(ticket_ids)
-- The reason for the statement's form.
SELECT {columns} FROM service_tickets WHERE id = ANY ($1)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from functools import cache, lru_cache
from itertools import chain, repeat
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import orjson

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence

    from app.db.connections import Connection, Tx

_PACKAGE = Path(__file__).parents[1]
ROOT = _PACKAGE / "_sql" if (_PACKAGE / "_sql").is_dir() else _PACKAGE.parent / "sql"
"""In an installed package inside `app`, in a checkout beside it."""
QUERIES = ROOT / "queries"
MIGRATIONS = ROOT / "migrations"

_FRAGMENT = re.compile(r"\{(?:(?P<file>\w+)\.)?(?P<name>\w+)\}")
_PART = re.compile(r"^-- (name|fragment): (\w+)(?:\(([\w, ]*)\))?$", re.MULTILINE)

UNNAMED = "other"
"""The name of a statement that is not loaded from sql/queries."""
_TRANSACTION_STATEMENTS = frozenset({"BEGIN;", "COMMIT;", "ROLLBACK;"})

_NULLS = repeat(None)
"""An omitted column, of any length."""

R = TypeVar("R")

Column: TypeAlias = "Iterable[Any]"
Reader: TypeAlias = "Callable[[Iterator[Column]], Column]"
"""Takes the columns it needs from the iterator and returns one column of values."""


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

    async def all(self, conn: Connection, *args: object, omit: frozenset[str] = frozenset()) -> list[R]:
        """Return every row. The columns in `omit` are not read; their fields are None."""
        query = _omit_columns(self, omit) if omit else self
        return query.read(await conn.fetch(query.text, *args))

    async def stream(self, tx: Tx, *args: object, batch_size: int) -> AsyncGenerator[R, None]:
        """Yield every row, fetched with a cursor: at most `batch_size` of them are in memory."""
        async for record in tx.cursor(self.text, *args, prefetch=batch_size):
            yield self.read([record])[0]

    async def first(self, conn: Connection, *args: object) -> R | None:
        record = await conn.fetchrow(self.text, *args)
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
        """Convert the driver's records."""
        return list(self._reader(zip(*records, strict=True))) if records else []


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
def _omit_columns(query: Query[R], names: frozenset[str]) -> Query[R]:
    """Remove columns from the SELECT list, which contains column names only."""
    listed, rest = query.text.split("\nFROM ", 1)
    kept = [column for column in listed.split(",") if column.split()[-1].rpartition(".")[2] not in names]
    return replace(query, text=f"{','.join(kept)}\nFROM {rest}", _reader=_reader(query.row, names))


def _reader(row: type[Any], omit: frozenset[str]) -> Reader:
    """Return a reader by position and column, far faster than by name and row. A test checks order and types.

    The last fields may be row types themselves: each takes the next columns, and is None if the first of
    them is null.
    """
    if not is_dataclass(row):
        convert = _converter(row)
        return next if convert is None else lambda columns: map(convert, next(columns))
    hints = get_type_hints(row)
    readers = [
        None if f.name in omit else _field_reader(_without_none(hints[f.name]), omit) for f in fields(row)
    ]

    def read(columns: Iterator[Column]) -> Column:
        return map(row, *[_NULLS if reader is None else reader(columns) for reader in readers])

    return read


def _field_reader(hint: Any, omit: frozenset[str]) -> Reader:  # noqa: ANN401 - hints have no common type
    read = _reader(hint, omit)
    if not is_dataclass(hint):
        return read

    def read_nested(columns: Iterator[Column]) -> Column:
        first = next(columns)
        values = read(chain([first], columns))
        return [None if key is None else value for key, value in zip(first, values, strict=True)]

    return read_nested


def _converter(hint: Any) -> Callable[[Any], Any] | None:  # noqa: ANN401 - as above
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


def _without_none(hint: Any) -> Any:  # noqa: ANN401 - as above
    if get_origin(hint) in (UnionType, Union):  # Python 3.11 makes a Union of NewType | None
        (hint,) = (arg for arg in get_args(hint) if arg is not NoneType)
    return hint
