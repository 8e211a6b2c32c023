"""Loads the named statements of sql/queries and converts their rows to domain objects.

-- fragment: columns            text that replaces {columns} in this file, {tickets.columns} in others
-- name: tickets_by_ids(ticket_ids)
-- The reason for the statement's form.
SELECT {columns} FROM service_tickets WHERE id = ANY ($1)
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from app.db.errors import DRIVER_ERRORS, UNREADABLE_ERRORS, one_line
from app.db.row_readers import Reader, column_hints, log_unreadable, reader_for, tolerant_reader

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from app.db.connections import Connection, Tx
    from app.db.row_readers import UnreadableValue

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

R = TypeVar("R")
T = TypeVar("T")


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
        query = omit_columns(self, omit) if omit else self
        try:
            records = await conn.fetch(query.text, *args)
        except OverflowError:
            records = await conn.fetch(query.bounded_text, *args)
        if len(records) <= MAX_UNINTERRUPTED:
            return query.read(records)
        rows: list[R] = []
        async for piece in in_pieces(records):
            rows += query.read(piece)
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
            reader = tolerant_reader(self.row, self.omitted, log_unreadable)  # type: ignore[arg-type] # as below
            return list(reader(zip(*records, strict=True)))

    async def unreadable_values(
        self, tx: Tx, *args: object, batch_size: int
    ) -> AsyncGenerator[UnreadableValue, None]:
        """Yield the values of all rows that `read` would replace."""
        found: list[UnreadableValue] = []
        reader = tolerant_reader(self.row, self.omitted, found.append)  # type: ignore[arg-type] # a class is hashable
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
    query = Query(f"{file}.{name}", params, f"/* {file}.{name} */\n{text}", row, reader_for(row, frozenset()))
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


async def in_pieces(records: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """Yield slices of at most MAX_UNINTERRUPTED records, and let other tasks run in between."""
    for start in range(0, len(records), MAX_UNINTERRUPTED):
        if start:
            await asyncio.sleep(0)
        yield records[start : start + MAX_UNINTERRUPTED]


@lru_cache(maxsize=500)
def omit_columns(query: Query[R], names: frozenset[str]) -> Query[R]:
    """Remove columns from the SELECT list."""
    columns = [
        column for column in selected_columns(query) if column.split()[-1].rpartition(".")[2] not in names
    ]
    return replace(query, text=select(query, columns), _reader=reader_for(query.row, names), omitted=names)


def selected_columns(query: Query[Any]) -> list[str]:
    """Return the SELECT list, which contains column names only."""
    return _SELECT_LIST.search(query.text)["columns"].split(",")  # type: ignore[index] # it has one


def select(query: Query[Any], columns: Sequence[str]) -> str:
    """Return the statement with other columns."""
    start, end = _SELECT_LIST.search(query.text).span("columns")  # type: ignore[union-attr] # as above
    return query.text[:start] + ",".join(columns) + query.text[end:]


@lru_cache(maxsize=500)
def _bounded_text(query: Query[Any]) -> str:
    hints = list(column_hints(query.row, query.omitted))
    selected = ", ".join(
        f"""CASE WHEN c{i} > '9999-12-31 23:59:59.999999+00' THEN 'infinity'
            WHEN c{i} < '0001-01-01 00:00:00+00' THEN '-infinity' ELSE c{i} END"""
        if hint is datetime
        else f"c{i}"
        for i, hint in enumerate(hints)
    )
    names = ", ".join(f"c{i}" for i in range(len(hints)))
    return f"/* {query.name} */ SELECT {selected}\nFROM (\n{query.text}\n) AS q ({names})"
