"""How much one operation may ask for, and one client in a while."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from app.graphql.pagination import MAX_PAGE


def _limit(default: float, description: str, *, settable: bool = True) -> Any:  # noqa: ANN401 - takes the type of its annotation
    return field(default=default, init=settable, metadata={"description": description})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Up to `page` they are the names that a QUERY_TOO_LARGE error gives as its `limit`."""

    characters: int = _limit(16 * 1024, "Characters of the document.")
    tokens: int = _limit(2000, "Words, signs and comments of the document.")
    depth: int = _limit(10, "Fields inside one another; what is under `__schema` and `__type` is free.")
    aliases: int = _limit(30, "Fields under another name, fragments written out.")
    fields: int = _limit(500, "Fields, fragments written out.")
    directives: int = _limit(20, "Directives, fragments written out.")
    comparisons: int = _limit(20_000, "Comparisons of fields with the same name, to see that they agree.")
    roots: int = _limit(20, "Fields of a query at its root.")
    mutations: int = _limit(10, "Fields of a mutation at its root.")
    cost: int = _limit(20_000, "Points that one operation may cost.")
    page: int = _limit(MAX_PAGE, "The largest `first`; more is BAD_USER_INPUT.", settable=False)
    assumed_list: int = _limit(10, "Rows that a list without `first` is taken to have, when cost is counted.")
    bucket: int = _limit(100_000, "Points that one subject may spend at once.")
    refill_per_s: int = _limit(10_000, "Points that come back to a subject in a second.")
    subjects: int = _limit(10_000, "Subjects remembered; the one who came least recently starts full again.")
    errors: int = _limit(5, "Errors shown in one answer.")
    read_timeout_s: float = _limit(10.0, "Seconds that a query may run; mutations are never cut short.")

    streams: int = _limit(50, "WebSockets and event streams that one subject may have open.")
    operations: int = _limit(50, "Operations that one WebSocket may have open.")
    messages_per_s: int = _limit(50, "Messages of one WebSocket that are read in a second, after a burst.")
    message_burst: int = _limit(200, "Messages of one WebSocket that are read at once.")

    def __post_init__(self) -> None:
        if self.bucket < self.cost:
            raise ValueError("bucket must hold what one operation may cost")
