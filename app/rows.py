"""Rows stored by column: values pass from the database to a response without an object for each row.

Rows become objects, and texts become values, only on demand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from itertools import chain
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Hashable

R = TypeVar("R")


@dataclass(slots=True, eq=False)
class Table(Generic[R]):
    """The result of a statement."""

    row_type: type[R]
    """A dataclass; its fields are the columns."""
    columns: Mapping[str, Sequence[Any]]
    """By name. A column that was not read is absent: its fields are None."""
    texts: Mapping[str, tuple[type, Callable[[str], Any]]]
    """The columns of text, which may be null: the class of their values, and the conversion to it."""

    def value(self, name: str, index: int) -> Any:  # noqa: ANN401 - of the field's type
        column = self.columns.get(name)
        value = None if column is None else column[index]
        text_type = self.texts.get(name)
        return value if value is None or text_type is None else text_type[1](value)

    def rows(self) -> Rows[R]:
        size = len(next(iter(self.columns.values())))
        return Rows(self, range(size))


class Rows(Sequence[R]):
    """Rows of one table, in any order."""

    __slots__ = ("_pick", "indices", "table")

    def __init__(self, table: Table[R], indices: Sequence[int]) -> None:
        self.table = table
        self.indices = indices
        self._pick: Callable[[Sequence[Any]], Sequence[Any]] | None = None

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> Rows[R]: ...
    def __getitem__(self, index: int | slice) -> R | Rows[R]:
        if isinstance(index, slice):
            return Rows(self.table, self.indices[index])
        row: R = _lazy_class(self.table.row_type)(self.table, self.indices[index])  # type: ignore[arg-type] # a class is hashable
        return row

    def stored(self, name: str) -> Sequence[Any]:
        """The column as it was read. Raises KeyError if it was not."""
        column = self.table.columns[name]
        if self._pick is None:
            self._pick = _picker(self.indices)
        return self._pick(column)

    def values(self, name: str) -> Sequence[Any]:
        """The attribute of each row."""
        if name not in self.table.columns:
            return [None] * len(self)
        column = self.stored(name)
        if name not in self.table.texts:
            return column
        convert = self.table.texts[name][1]
        return [None if text is None else convert(text) for text in column]


def join(parts: Iterable[Sequence[Any]]) -> Rows[Any] | None:
    """Return the rows of all parts; None unless they are of one table."""
    parts = list(filter(len, parts))
    if not parts or set(map(type, parts)) != {Rows}:
        return None
    tables = set(map(_table, parts))
    if len(tables) != 1:
        return None
    return Rows(tables.pop(), list(chain.from_iterable(map(_indices, parts))))


def gather(objects: Sequence[Any]) -> Sequence[Any]:
    """Return the Rows that the objects are; the objects, unless all are rows of one table."""
    if type(objects) is Rows or not all(map(_LAZY_CLASSES.__contains__, set(map(type, objects)))):
        return objects
    tables = set(map(_table, objects))
    return Rows(tables.pop(), list(map(_index, objects))) if len(tables) == 1 else objects


def attribute(objects: Sequence[Any], name: str) -> Sequence[Any]:
    """Return the attribute of each object."""
    return objects.values(name) if type(objects) is Rows else list(map(attrgetter(name), objects))


def group_by(rows: Sequence[R], name: str) -> dict[Any, Sequence[R]]:
    """Split rows, which are ordered by an attribute, by its values."""
    groups: dict[Any, Sequence[R]] = {}
    start = 0
    for value, size in Counter(attribute(rows, name)).items():
        groups[value] = rows[start : start + size]
        start += size
    return groups


_table, _indices, _index = attrgetter("table"), attrgetter("indices"), attrgetter("index")
_LAZY_CLASSES: set[type] = set()


def _picker(indices: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    if isinstance(indices, range) and indices.step == 1:
        return itemgetter(slice(indices.start, indices.stop))
    if len(indices) > 1:
        return itemgetter(*indices)
    return lambda column: [column[index] for index in indices]


@cache
def _lazy_class(row_type: type[Any]) -> Any:  # noqa: ANN401 - a subclass
    """A subclass of the row type that reads each attribute from its table."""

    def __init__(self: Any, table: Table[Any], index: int) -> None:  # noqa: ANN401, N807 - of the subclass
        self.table, self.index = table, index

    def cell(name: str) -> property:
        return property(lambda self: self.table.value(name, self.index))

    names = [f.name for f in fields(row_type)]
    values = attrgetter(*names)
    namespace: dict[Hashable, Any] = {name: cell(name) for name in names}
    namespace |= {
        "__slots__": ("index", "table"),
        "__init__": __init__,
        "__eq__": lambda self, other: isinstance(other, row_type) and values(self) == values(other),
        "__hash__": row_type.__hash__,
    }
    class_ = type(row_type.__name__, (row_type,), namespace)  # type: ignore[arg-type] # names
    _LAZY_CLASSES.add(class_)
    return class_
