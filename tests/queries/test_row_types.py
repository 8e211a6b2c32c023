"""Every named statement is used, can be prepared, and returns the columns of its row type."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import pytest

from app.db import sql

PYTHON_OF = {
    "bool": bool,
    "bytea": bytes,
    "date": date,
    "int4": int,
    "int8": int,
    "interval": timedelta,
    "jsonb": tuple,
    "numeric": Decimal,
    "text": str,
    "text[]": tuple,
    "timestamptz": datetime,
    "uuid": UUID,
    "uuid[]": tuple,
    "varchar": str,
    "xid": int,
}


def plain(hint: Any) -> Any:
    """The Python type of a column, without None and NewType; an enum is its text."""
    if get_origin(hint) in (Union, UnionType):  # Python 3.11 makes `NewType | None` a Union
        (hint,) = (arg for arg in get_args(hint) if arg is not NoneType)
    hint = get_origin(hint) or getattr(hint, "__supertype__", hint)
    if hint is dict:
        return tuple  # of jsonb, as above
    return str if issubclass(hint, StrEnum) else hint


def declared(row: type) -> Iterator[tuple[str, Any]]:
    """Yield the columns of `row` in order. Its last fields may be rows with columns of their own."""
    hints = get_type_hints(row)
    nested = False
    for f in fields(row):
        hint = plain(hints[f.name])
        if is_dataclass(hint):
            nested = True
            yield from declared(hint)
        else:
            assert not nested, f"{row.__name__}.{f.name} must come before nested rows"
            yield f.name, hint


def test_every_statement_is_used_once():
    files = [file.stem for file in sql.QUERIES.glob("*.sql")]
    written = [f"{file}.{name}" for file in files for name in sql.statements(file)]
    assert sorted(query.name for query in sql.LOADED) == sorted(written)


@pytest.mark.parametrize("query", sql.LOADED, ids=lambda query: query.name)
async def test_statement_returns_the_columns_of_its_row_type(tx, query):
    statement = await tx.prepare(query.text)
    assert len(statement.get_parameters()) == len(query.params)
    columns = [(column.name, PYTHON_OF[column.type.name]) for column in statement.get_attributes()]
    if query.row is NoneType:
        assert columns == []
    elif is_dataclass(query.row):
        assert columns == list(declared(query.row))
    else:
        assert [kind for _, kind in columns] == [plain(query.row)]
