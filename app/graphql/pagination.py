"""Relay connections with keyset cursors (GraphQL Cursor Connections Specification)."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Self, TypeVar

import orjson
import strawberry

from app.domain import values
from app.domain.errors import InvalidInput
from app.graphql.arguments import argument, described
from app.graphql.errors import BadUserInput

T = TypeVar("T")

MAX_PAGE = 100
DEFAULT_PAGE = 25

First = Annotated[int | None, described(f"Page size, 1 to {MAX_PAGE}.")]
After = Annotated[str | None, described("Start after this cursor; at the beginning by default.")]

_validate_first = values.int_between(1, MAX_PAGE)


@strawberry.type(description="Position of a page in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more items follow the page.")
    has_previous_page: bool = strawberry.field(description="Whether the page starts after a cursor.")
    start_cursor: str | None = strawberry.field(
        description="Cursor of the first item; null on an empty page."
    )
    end_cursor: str | None = strawberry.field(
        description="Cursor of the last item, which the next page takes as `after`; null on an empty page."
    )


@strawberry.type(description="An item of a list with its cursor.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="Opaque position of the item in the list, for `after`.")
    node: T = strawberry.field(description="The item.")


@strawberry.type(description="One page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="Items of the page, each with its cursor.")
    nodes: list[T] = strawberry.field(description="Items of the page.")
    page_info: PageInfo = strawberry.field(description="Position of the page in the list.")

    @strawberry.field(
        description="Number of matching items across all pages. Expensive: select it once, not on every page."
    )
    async def total_count(root: strawberry.Parent[Page[Any]]) -> int:
        return await root.count()


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The validated arguments of a connection."""

    first: int
    after: str | None
    key: Any
    """The parts of the cursor, which are the key of the row before the page; None without a cursor."""

    @classmethod
    def parse(cls, first: int | None, after: str | None, *key_parsers: Callable[[str], Any]) -> Self:
        """Validate the arguments. Each of `key_parsers` parses one part of a cursor. Raises BadUserInput."""
        key = None if after is None else _parse_cursor(after, key_parsers)
        size = argument(_validate_first, "first", DEFAULT_PAGE if first is None else first)
        return cls(size, after, key)

    @property
    def limit(self) -> int:
        """Rows to read: one more than the page shows, to learn whether another page follows."""
        return self.first + 1


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """The object behind a Connection. `rows` has at most `request.limit` rows; `key` makes their cursors."""

    request: PageRequest
    rows: Sequence[T]
    key: Callable[[T], tuple[object, ...]]
    count: Callable[[], Awaitable[int]]

    @property
    def nodes(self) -> Sequence[T]:
        return self.rows[: self.request.first]

    @property
    def edges(self) -> list[Edge[T]]:
        return [Edge(cursor=_cursor(self.key(node)), node=node) for node in self.nodes]

    @property
    def page_info(self) -> PageInfo:
        nodes = self.nodes
        return PageInfo(
            has_next_page=len(self.rows) > self.request.first,
            has_previous_page=self.request.after is not None,
            start_cursor=_cursor(self.key(nodes[0])) if nodes else None,
            end_cursor=_cursor(self.key(nodes[-1])) if nodes else None,
        )


def page_of_all(request: PageRequest, rows: Iterable[T], key: Callable[[T], tuple[Any, ...]]) -> Page[T]:
    """Make a page of a list that was read as a whole, in any order. It is sorted by `key`."""
    all_rows = sorted(rows, key=key)

    async def count() -> int:
        return len(all_rows)

    following = [row for row in all_rows if request.key is None or key(row) > request.key]
    return Page(request, following[: request.limit], key, count)


def parse_decimal(text: str) -> Decimal:
    """Raises ValueError for text that is not a finite number."""
    try:
        number = Decimal(text)
    except ArithmeticError:
        raise ValueError(text) from None
    if not number.is_finite():
        raise ValueError(text)
    return number


def parse_datetime(text: str) -> datetime:
    """Returns UTC, as PostgreSQL expects it. Raises OverflowError outside the years 1 to 9999.

    The last instant stands for later ones, too, and the driver sends it as infinity, which they would follow
    again: no page may follow itself. The driver sends the first instant as -infinity.
    """
    at = datetime.fromisoformat(text).astimezone(UTC)
    return at - datetime.resolution if at == datetime.max.replace(tzinfo=UTC) else at


def parse_row_id(text: str) -> int:
    """Parse a bigint. Raises ValueError."""
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise ValueError(text)
    return int(text)


def _parse_cursor(cursor: str, parsers: Sequence[Callable[[str], Any]]) -> tuple[Any, ...]:
    try:
        texts = orjson.loads(urlsafe_b64decode(cursor.encode()))
        return tuple(parse(_storable(text)) for parse, text in zip(parsers, texts, strict=True))
    except (ValueError, TypeError, OverflowError):
        raise BadUserInput(InvalidInput("after", "must be a cursor of this list")) from None


def _storable(text: object) -> str:
    if not isinstance(text, str) or "\0" in text:
        raise ValueError
    return text


def _cursor(key: tuple[object, ...]) -> str:
    return urlsafe_b64encode(orjson.dumps(key, default=str)).decode()
