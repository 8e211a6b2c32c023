"""Loads the named statements of sql/queries and turns their rows into domain objects.

-- fragment: columns            text for what follows, where it says {columns}; elsewhere {tickets.columns}
-- name: tickets_by_ids(ticket_ids)
-- Why the statement is as it is.
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
"""Inside an installed package, beside `app` in a checkout."""
QUERIES = ROOT / "queries"
MIGRATIONS = ROOT / "migrations"

_FRAGMENT = re.compile(r"\{(?:(?P<file>\w+)\.)?(?P<name>\w+)\}")
_PART = re.compile(r"^-- (name|fragment): (\w+)(?:\(([\w, ]*)\))?$", re.MULTILINE)

UNNAMED = "other"
"""What `name_of` says of a statement that is none of ours."""
_OF_TRANSACTIONS = frozenset({"BEGIN;", "COMMIT;", "ROLLBACK;"})

_NOTHING = repeat(None)
"""A column that was left out, of any length."""

R = TypeVar("R")

Column: TypeAlias = "Iterable[Any]"
Reader: TypeAlias = "Callable[[Iterator[Column]], Column]"
"""Takes the columns that it wants from those that are left, and makes one of them."""


class SqlFileError(Exception):
    """A file of sql/queries is malformed, or lacks a statement that Python asks for."""


@dataclass(frozen=True, slots=True, eq=False)
class Query(Generic[R]):
    """One named statement and the type that each of its rows becomes; NoneType when it yields none."""

    name: str
    params: tuple[str, ...]
    text: str
    row: type[R]
    _reader: Reader = field(repr=False)

    async def all(self, conn: Connection, *args: object, omit: frozenset[str] = frozenset()) -> list[R]:
        """Every row. The columns to `leave_out` are not read: None stands in their fields."""
        query = _without(self, omit) if omit else self
        return query.read(await conn.fetch(query.text, *args))

    async def stream(self, tx: Tx, *args: object, at_a_time: int) -> AsyncGenerator[R, None]:
        """Every row, as the caller takes them: no more than `at_a_time` of them are in memory."""
        async for record in tx.cursor(self.text, *args, prefetch=at_a_time):
            yield self.read([record])[0]

    async def first(self, conn: Connection, *args: object) -> R | None:
        record = await conn.fetchrow(self.text, *args)
        return None if record is None else self.read([record])[0]

    async def one(self, conn: Connection, *args: object) -> R:
        found = await self.first(conn, *args)
        if found is None:
            raise LookupError(self.name)
        return found

    async def run(self, conn: Connection, *args: object) -> None:
        await conn.execute(self.text, *args)

    def read(self, records: Sequence[Sequence[Any]]) -> list[R]:
        """What the driver has brought."""
        return list(self._reader(zip(*records, strict=True))) if records else []


LOADED: list[Query[Any]] = []


def load(file: str, name: str, row: type[R]) -> Query[R]:
    """Bind the statement `name` of sql/queries/`file`.sql to the row type it yields."""
    try:
        params, text = statements(file)[name]
    except KeyError:
        raise SqlFileError(f"there is no statement {name!r} in sql/queries/{file}.sql") from None
    query = Query(f"{file}.{name}", params, f"/* {file}.{name} */\n{text}", row, _reader(row, frozenset()))
    LOADED.append(query)
    return query


def name_of(text: str) -> str:
    """The name that a loaded statement has before its text, also for who looks at it in the database."""
    if text.startswith("/* "):
        return text[3 : text.index(" */")]
    return text.rstrip(";").lower() if text in _OF_TRANSACTIONS else UNNAMED


@cache
def statements(file: str) -> dict[str, tuple[tuple[str, ...], str]]:
    """The parameters and the text of each statement of one file, fragments filled in."""
    found: dict[str, tuple[tuple[str, ...], str]] = {}
    seen: set[str] = set()
    for kind, name, params, text in _parts(file):
        if name in seen:
            raise SqlFileError(f"{name!r} stands twice in sql/queries/{file}.sql")
        seen.add(name)
        if kind == "name":
            found[name] = tuple(p.strip() for p in params.split(",") if p.strip()), _filled(text, file)
    return found


@cache
def _fragments(file: str) -> dict[str, str]:
    return {name: text for kind, name, _, text in _parts(file) if kind == "fragment"}


def _parts(file: str) -> Iterator[tuple[str, str, str, str]]:
    """Whether it is a name or a fragment, its name, its parameters, and its text as it is written."""
    parts = _PART.split((QUERIES / f"{file}.sql").read_text(encoding="utf-8"))[1:]
    for kind, name, params, text in zip(parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=True):
        yield kind, name, params or "", text.strip().removesuffix(";")


def _filled(text: str, file: str) -> str:
    """With the fragments that it names, which may name others of their own file."""

    def fragment(use: re.Match[str]) -> str:
        of = use["file"] or file
        return _filled(_fragments(of)[use["name"]], of)

    return _FRAGMENT.sub(fragment, text)


@lru_cache(maxsize=500)
def _without(query: Query[R], names: frozenset[str]) -> Query[R]:
    """The statement without these columns in its list, which holds nothing but columns."""
    listed, rest = query.text.split("\nFROM ", 1)
    kept = [column for column in listed.split(",") if column.split()[-1].rpartition(".")[2] not in names]
    return replace(query, text=f"{','.join(kept)}\nFROM {rest}", _reader=_reader(query.row, names))


def _reader(row: type[Any], left_out: frozenset[str]) -> Reader:
    """Reads by position and column, far faster than by name and row; a test holds order and types together.

    The last fields may be row types themselves: each takes its columns of those that are left, and is
    None when the first of them is null.
    """
    if not is_dataclass(row):
        return _converted(row)
    hints = get_type_hints(row)
    parts = [
        None if f.name in left_out else _part(_without_none(hints[f.name]), left_out) for f in fields(row)
    ]

    def read(columns: Iterator[Column]) -> Column:
        return map(row, *[_NOTHING if part is None else part(columns) for part in parts])

    return read


def _part(hint: Any, left_out: frozenset[str]) -> Reader:  # noqa: ANN401 - hints have no common type
    if not is_dataclass(hint):
        return _converted(hint)
    read = _reader(hint, left_out)  # type: ignore[arg-type] # a hint is a type

    def read_part(columns: Iterator[Column]) -> Column:
        first = next(columns)
        values = read(chain([first], columns))
        return [None if key is None else value for key, value in zip(first, values, strict=True)]

    return read_part


def _converted(hint: Any) -> Reader:  # noqa: ANN401 - as above
    convert = _converter(hint)
    if convert is None:
        return next
    return lambda columns: map(convert, next(columns))


def _converter(hint: Any) -> Callable[[Any], Any] | None:  # noqa: ANN401 - as above
    """Of null, each makes None."""
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        # To call an Enum takes ten times as long, and a row has several.
        members: dict[str | None, StrEnum | None] = {None: None}
        return (members | {member.value: member for member in hint}).__getitem__
    if get_origin(hint) is tuple:
        item: Any = get_args(hint)[0]
        if not hasattr(item, "from_json"):
            return lambda array: None if array is None else tuple(array)
        # jsonb arrives as text; an array of objects, each read by the type's own from_json.
        from_json = item.from_json
        return lambda text: None if text is None else tuple(from_json(part) for part in orjson.loads(text))
    return None


def _without_none(hint: Any) -> Any:  # noqa: ANN401 - as above
    if get_origin(hint) in (UnionType, Union):  # of a NewType and None, Python 3.11 makes the latter
        (hint,) = (arg for arg in get_args(hint) if arg is not NoneType)
    return hint
