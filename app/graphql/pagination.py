"""Relay connections with keyset cursors (GraphQL Cursor Connections Specification)."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

import orjson
import strawberry

from app.domain import values
from app.domain.errors import InvalidInput
from app.graphql.errors import BadUserInput

T = TypeVar("T")

MAX_PAGE = 100
DEFAULT_PAGE = 25

First = Annotated[
    int | None,
    strawberry.argument(description=f"1 to {MAX_PAGE}; {DEFAULT_PAGE} when left out."),
]
After = Annotated[
    str | None,
    strawberry.argument(description="The cursor after which the page begins; from the start when left out."),
]

_first = values.int_between(1, MAX_PAGE)


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="More follow after endCursor.")
    has_previous_page: bool = strawberry.field(description="The page began after a cursor.")
    start_cursor: str | None = strawberry.field(description="The first node's cursor; null on an empty page.")
    end_cursor: str | None = strawberry.field(
        description="The last node's cursor: the next page's `after`; null on an empty page."
    )


@strawberry.type(description="A node and its place in the list.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="The place, opaque; `after` takes it.")
    node: T = strawberry.field(description="What stands there.")


@strawberry.type(description="One page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The page's nodes, each with its cursor.")
    nodes: list[T] = strawberry.field(description="The page's nodes alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")

    @strawberry.field(description="How many the whole list has. Counted only when asked for: it costs.")
    async def total_count(root: strawberry.Parent[Page[Any]]) -> int:
        return await root.count()


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """What a Connection is made from: `first` + 1 nodes at most; the one over says that more follow."""

    found: Sequence[T]
    first: int
    after: str | None
    key: Callable[[T], tuple[object, ...]]
    count: Callable[[], Awaitable[int]]

    @property
    def nodes(self) -> Sequence[T]:
        return self.found[: self.first]

    @property
    def edges(self) -> list[Edge[T]]:
        return [Edge(cursor=_cursor(self.key(node)), node=node) for node in self.nodes]

    @property
    def page_info(self) -> PageInfo:
        nodes = self.nodes
        return PageInfo(
            has_next_page=len(self.found) > self.first,
            has_previous_page=self.after is not None,
            start_cursor=_cursor(self.key(nodes[0])) if nodes else None,
            end_cursor=_cursor(self.key(nodes[-1])) if nodes else None,
        )


def checked_first(first: int | None) -> int:
    try:
        return _first("first", DEFAULT_PAGE if first is None else first)
    except InvalidInput as refused:
        raise BadUserInput(refused) from None


def key_after(after: str | None, *parts: Callable[[str], Any]) -> Any:  # noqa: ANN401 - a key of the list
    """The key that a cursor stands for, each part made by its own function; None without a cursor."""
    if after is None:
        return None
    try:
        texts = orjson.loads(urlsafe_b64decode(after.encode()))
        return tuple(make(_storable(text)) for make, text in zip(parts, texts, strict=True))
    except (ValueError, TypeError, OverflowError):
        raise BadUserInput(InvalidInput("after", "must be a cursor of this list")) from None


def page_of(
    rows: Iterable[T],
    first: int | None,
    after: str | None,
    *,
    order: Callable[[T], tuple[Any, ...]],
    parts: tuple[Callable[[str], Any], ...],
) -> Page[T]:
    """A page of rows that are all here. `order` gives what they stand by, `parts` read that from a cursor."""
    key = key_after(after, *parts)
    size = checked_first(first)
    all_rows = sorted(rows, key=order)

    async def count() -> int:
        return len(all_rows)

    follow = [row for row in all_rows if key is None or order(row) > key]
    return Page(follow[: size + 1], size, after, key=order, count=count)


def number(text: str) -> Decimal:
    """Raises ValueError for what has no place among numbers."""
    try:
        found = Decimal(text)
    except ArithmeticError:
        raise ValueError(text) from None
    if not found.is_finite():
        raise ValueError(text)
    return found


def moment(text: str) -> datetime:
    """In UTC, as PostgreSQL is sent it. Raises OverflowError for one beyond what a datetime holds."""
    return datetime.fromisoformat(text).astimezone(UTC)


def row_id(text: str) -> int:
    """A bigint. Raises ValueError."""
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise ValueError(text)
    return int(text)


def _storable(text: object) -> str:
    if not isinstance(text, str) or "\0" in text:
        raise ValueError
    return text


def _cursor(key: tuple[object, ...]) -> str:
    return urlsafe_b64encode(orjson.dumps(key, default=str)).decode()
