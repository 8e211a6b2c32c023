"""The limits of one operation, of one subject and of one connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from app.graphql.pagination import MAX_PAGE


def _limit(default: float, description: str, *, settable: bool = True) -> Any:  # noqa: ANN401 - has the type of its annotation
    return field(default=default, init=settable, metadata={"description": description})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The names up to `cost` are values of `limit` in QUERY_TOO_LARGE errors."""

    characters: int = _limit(16 * 1024, "Characters of the document.")
    tokens: int = _limit(2000, "Tokens of the document, comments included.")
    depth: int = _limit(10, "Nested fields; `__schema` and `__type` count as one level.")
    aliases: int = _limit(30, "Aliased fields, with fragments expanded.")
    fields: int = _limit(500, "Fields, with fragments expanded.")
    directives: int = _limit(20, "Directives, with fragments expanded.")
    comparisons: int = _limit(10_000, "Comparisons of two fields with the same name during validation.")
    roots: int = _limit(20, "Root fields of a query.")
    mutations: int = _limit(10, "Root fields of a mutation.")
    cost: int = _limit(20_000, "Points that one operation may cost.")
    values: int = _limit(1_000_000, "Values of one response: fields of its objects, and items of its lists.")
    page: int = _limit(MAX_PAGE, "The largest `first`; a larger one is BAD_USER_INPUT.", settable=False)
    assumed_list: int = _limit(
        10, "Rows that a list without `first` is assumed to have when the cost is computed."
    )
    bucket: int = _limit(100_000, "Points that one subject may spend at once.")
    refill_per_s: int = _limit(10_000, "Points that a subject gets back per second.")
    subjects: int = _limit(
        10_000, "Subjects in memory; the least recently active one is dropped and starts full again."
    )
    errors: int = _limit(5, "Errors in one response.")
    read_timeout_s: float = _limit(10.0, "Seconds that a query may take; mutations have no timeout.")

    streams: int = _limit(50, "WebSockets and event streams that one subject may have open.")
    operations: int = _limit(50, "Operations that one WebSocket may have open.")

    def __post_init__(self) -> None:
        if self.bucket < self.cost:
            raise ValueError("bucket must be at least cost")
