"""Batch load functions: each reads the rows of many keys with a query, and groups them by key."""

from __future__ import annotations

from collections import defaultdict
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from app.rows import group_by

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from app.db.connections import Connection
    from app.domain.events import EventType
    from app.domain.model import AssignmentStatus, EngineerId, Ticket, TicketId
    from app.graphql.batching.loader import BatchLoadFn
    from app.queries.assignments import AssignmentKey
    from app.queries.events import EventSelection
    from app.queries.tickets import TicketFilter, TicketKey

K = TypeVar("K")
V = TypeVar("V")


class EngineerPage(NamedTuple):
    """Key of one page of an engineer's assignments."""

    engineer_id: EngineerId
    statuses: tuple[AssignmentStatus, ...] | None
    after: AssignmentKey | None
    first: int


class EngineerTotal(NamedTuple):
    """Key of the number of an engineer's assignments."""

    engineer_id: EngineerId
    statuses: tuple[AssignmentStatus, ...] | None


class TimelinePage(NamedTuple):
    """Key of one page of a ticket's events."""

    ticket_id: TicketId
    selection: EventSelection


class TimelineTotal(NamedTuple):
    """Key of the number of a ticket's events."""

    ticket_id: TicketId
    types: tuple[EventType, ...] | None


class TicketPage(NamedTuple):
    """Key of one page of tickets, newest first: the arguments of `tickets.newest`."""

    filter: TicketFilter
    after: TicketKey | None
    first: int
    visible_to: EngineerId | None
    """From the permission to list tickets, which is not the one to read a single ticket."""


def one_row(query: Callable[..., Awaitable[list[V]]], key: Callable[[V], K]) -> BatchLoadFn:
    """Load one row for each key. `query` returns the rows in any order; `key` returns the key of a row."""

    async def load(conn: Connection, keys: list[K]) -> dict[K, V]:
        return {key(row): row for row in await query(conn, keys)}

    return load


def all_rows(query: Callable[..., Awaitable[Sequence[V]]], key: str) -> BatchLoadFn:
    """Load all rows of each key, as `one_row` does one. `key` is the attribute by which they are ordered."""

    async def load(conn: Connection, keys: list[K]) -> dict[K, Sequence[V]]:
        return group_by(await query(conn, keys), key)

    return load


def rows_of_pages(query: Callable[..., Awaitable[list[Any]]], key: str) -> BatchLoadFn:
    """Load all rows of keys that are tuples: an id, then the further arguments of `query`.

    `key` is the attribute of a row that has the id. Runs one statement for all ids with the same arguments.
    """
    id_of = attrgetter(key)

    async def load(conn: Connection, keys: list[tuple[Any, ...]]) -> dict[tuple[Any, ...], list[Any]]:
        ids_by_arguments: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
        for id_, *further in keys:
            ids_by_arguments[tuple(further)].append(id_)
        rows_by_key: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
        for arguments, ids in ids_by_arguments.items():
            for row in await query(conn, ids, *arguments):
                rows_by_key[id_of(row), *arguments].append(row)
        return rows_by_key

    return load


def ticket_pages(query: Callable[..., Awaitable[Sequence[Ticket]]]) -> BatchLoadFn:
    async def load(conn: Connection, pages: list[TicketPage]) -> dict[TicketPage, Sequence[Ticket]]:
        return {page: await query(conn, **page._asdict()) for page in pages}

    return load
