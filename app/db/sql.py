"""Loads the named statements of sql/queries and turns their rows into domain objects.

-- fragment: columns            text for the statements of this file, where they say {columns}
-- name: tickets_by_ids(ticket_ids)
-- Why the statement is as it is.
SELECT {columns} FROM service_tickets WHERE id = ANY ($1)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

import orjson

if TYPE_CHECKING:
    from app.db.pool import Connection

_PACKAGE = Path(__file__).parents[1]
ROOT = _PACKAGE / "_sql" if (_PACKAGE / "_sql").is_dir() else _PACKAGE.parent / "sql"
"""Inside an installed package, beside `app` in a checkout."""
QUERIES = ROOT / "queries"
MIGRATIONS = ROOT / "migrations"

_PART = re.compile(r"^-- (name|fragment): (\w+)(?:\(([\w, ]*)\))?$", re.MULTILINE)

UNNAMED = "other"
"""What `name_of` says of a statement that is none of ours."""
_OF_TRANSACTIONS = frozenset({"BEGIN;", "COMMIT;", "ROLLBACK;"})

R = TypeVar("R")


class SqlFileError(Exception):
    """A file of sql/queries is malformed, or lacks a statement that Python asks for."""


@dataclass(frozen=True, slots=True)
class Query(Generic[R]):
    """One named statement and the type that each of its rows becomes; NoneType when it yields none."""

    name: str
    params: tuple[str, ...]
    text: str
    row: type[R]
    _read: Callable[[Sequence[Any]], R] = field(repr=False)

    async def all(self, conn: Connection, *args: object, leave_out: frozenset[str] = frozenset()) -> list[R]:
        """Every row. The columns to `leave_out` are not read: None stands in their fields."""
        text = _without(self.text, leave_out) if leave_out else self.text
        return [self._read(record) for record in await conn.fetch(text, *args)]

    async def first(self, conn: Connection, *args: object) -> R | None:
        record = await conn.fetchrow(self.text, *args)
        return None if record is None else self._read(record)

    async def one(self, conn: Connection, *args: object) -> R:
        found = await self.first(conn, *args)
        if found is None:
            raise LookupError(self.name)
        return found

    async def run(self, conn: Connection, *args: object) -> None:
        await conn.execute(self.text, *args)


LOADED: list[Query[Any]] = []


def load(file: str, name: str, row: type[R]) -> Query[R]:
    """Bind the statement `name` of sql/queries/`file`.sql to the row type it yields."""
    try:
        params, text = statements(file)[name]
    except KeyError:
        raise SqlFileError(f"there is no statement {name!r} in sql/queries/{file}.sql") from None
    query = Query(f"{file}.{name}", params, f"/* {file}.{name} */\n{text}", row, _reader(row))
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
    parts = _PART.split((QUERIES / f"{file}.sql").read_text(encoding="utf-8"))[1:]
    found: dict[str, tuple[tuple[str, ...], str]] = {}
    fragments: dict[str, str] = {}
    for kind, name, params, text in zip(parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=True):
        if name in found or name in fragments:
            raise SqlFileError(f"{name!r} stands twice in sql/queries/{file}.sql")
        if kind == "fragment":
            fragments[name] = text.strip()
        else:
            filled = re.sub(r"\{(\w+)\}", lambda use: fragments[use[1]], text.strip().removesuffix(";"))
            found[name] = tuple(p.strip() for p in (params or "").split(",") if p.strip()), filled
    return found


@lru_cache(maxsize=500)
def _without(text: str, columns: frozenset[str]) -> str:
    """The statement with null for these columns in its list."""
    listed, rest = text.split("\nFROM ", 1)
    nulls = re.sub(r"\b\w+\.(\w+)", lambda c: f"NULL AS {c[1]}" if c[1] in columns else c[0], listed)
    return f"{nulls}\nFROM {rest}"


def _reader(row: type[Any]) -> Callable[[Sequence[Any]], Any]:
    """Reads by position, five times faster than by name; a test holds order and types together.

    The last fields may be row types themselves: each takes its columns of those that are left, and is
    None when the first of them is null.
    """
    if row is NoneType:
        return lambda _: None
    if not is_dataclass(row):
        return lambda record: record[0]
    hints = [_without_none(get_type_hints(row)[f.name]) for f in fields(row)]
    converters = [(i, convert) for i, hint in enumerate(hints) if (convert := _converter(hint))]
    inner = [hint for hint in hints if is_dataclass(hint)]
    width = at = len(hints) - len(inner)
    parts: list[tuple[int, int, Callable[[Sequence[Any]], Any]]] = []
    for hint in inner:
        parts.append((at, at + len(fields(hint)), _reader(hint)))  # type: ignore[arg-type] # a hint is a type
        at = parts[-1][1]

    def read(record: Sequence[Any]) -> Any:  # noqa: ANN401 - an R
        values = list(record[:width])
        for i, convert in converters:
            if values[i] is not None:
                values[i] = convert(values[i])
        for start, end, read_part in parts:
            values.append(None if record[start] is None else read_part(record[start:end]))
        return row(*values)

    return read


def _converter(hint: Any) -> Callable[[Any], Any] | None:  # noqa: ANN401 - hints have no common type
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    if get_origin(hint) is tuple:
        item: Any = get_args(hint)[0]
        if not hasattr(item, "from_json"):
            return tuple
        # jsonb arrives as text; an array of objects, each read by the type's own from_json.
        from_json = item.from_json
        return lambda text: tuple(from_json(part) for part in orjson.loads(text))
    return None


def _without_none(hint: Any) -> Any:  # noqa: ANN401 - as above
    if get_origin(hint) in (UnionType, Union):  # of a NewType and None, Python 3.11 makes the latter
        (hint,) = (arg for arg in get_args(hint) if arg is not NoneType)
    return hint
