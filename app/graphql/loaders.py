"""One dataloader for each edge of the graph, made anew for every operation."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property, partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from app.domain.history import current_assignment
from app.graphql.batching.loader import BatchKey, BatchLoader
from app.queries import assignments, engineers, equipment, tickets
from app.queries.columns import omitted_columns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.db.connections import Connection
    from app.db.pool import Database
    from app.db.replicas import ReadRoute
    from app.domain.model import (
        Assignment,
        AssignmentId,
        AssignmentStatus,
        Engineer,
        EngineerId,
        Equipment,
        EquipmentId,
        Ticket,
        TicketId,
    )
    from app.graphql.batching.loader import Batch, BatchLoadFn
    from app.graphql.batching.scheduler import BatchScheduler
    from app.queries.assignments import AssignmentKey
    from app.queries.tickets import TicketFilter, TicketKey, TicketWithAssignment

K = TypeVar("K")
V = TypeVar("V")

_OF_HISTORIES = {"assignment_history", "escalation_count", "time_by_engineer", "total_time_spent_hours"}
"""The fields of a ticket that are made of its history."""


class EngineerPage(NamedTuple):
    """A page of one engineer's assignments."""

    engineer_id: EngineerId
    statuses: tuple[AssignmentStatus, ...] | None
    after: AssignmentKey | None
    first: int


class EngineerTotal(NamedTuple):
    """How many assignments one engineer has had."""

    engineer_id: EngineerId
    statuses: tuple[AssignmentStatus, ...] | None


class TicketPage(NamedTuple):
    """A page of the newest tickets; the policy confines lists for itself, and not as one ticket."""

    wanted: TicketFilter
    after: TicketKey | None
    first: int
    visible_to: EngineerId | None


_id = attrgetter("id")
_ticket = attrgetter("ticket_id")
_ticket_of_turn = attrgetter("ticket.id")
_engineer = attrgetter("engineer_id")


def _at_most_one(fetch: Callable[..., Awaitable[list[V]]], key: Callable[[V], K]) -> BatchLoadFn:
    """Here and below, `fetch` takes keys and returns rows in any order of keys."""

    async def read(conn: Connection, keys: list[K]) -> dict[K, V]:
        return {key(row): row for row in await fetch(conn, keys)}

    return read


def _many(fetch: Callable[..., Awaitable[list[V]]], key: Callable[[V], K]) -> BatchLoadFn:
    async def read(conn: Connection, keys: list[K]) -> dict[K, list[V]]:
        found: dict[K, list[V]] = defaultdict(list)
        for row in await fetch(conn, keys):
            found[key(row)].append(row)
        return found

    return read


def _of_engineers(fetch: Callable[..., Awaitable[list[Any]]]) -> BatchLoadFn:
    """Keys are tuples of an engineer and the same arguments as `fetch` takes after the engineers.

    Engineers whose arguments are equal share a statement.
    """

    async def read(conn: Connection, keys: list[tuple[Any, ...]]) -> dict[tuple[Any, ...], list[Any]]:
        engineers_of: dict[tuple[Any, ...], list[EngineerId]] = defaultdict(list)
        for engineer_id, *arguments in keys:
            engineers_of[tuple(arguments)].append(engineer_id)
        found: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
        for same, engineer_ids in engineers_of.items():
            for row in await fetch(conn, engineer_ids, *same):
                found[row.engineer_id, *same].append(row)
        return found

    return read


def _page(newest: Callable[..., Awaitable[list[Ticket]]]) -> BatchLoadFn:
    async def read(conn: Connection, pages: list[TicketPage]) -> dict[TicketPage, list[Ticket]]:
        return {
            page: await newest(
                conn, page.wanted, after=page.after, first=page.first, visible_to=page.visible_to
            )
            for page in pages
        }

    return read


def _as_found(_: object, found: V | None) -> V | None:
    return found


def _list(_: object, found: list[V] | None) -> list[V]:
    return found or []


def _holder(_: object, history: list[Assignment] | None) -> Assignment | None:
    return current_assignment(history or [])


class Loaders:
    """`asked` are the names of all fields of the operation, as the domain spells them.

    Columns that none of them needs are left out. `only_of` is the engineer to whose own the reader is
    confined.
    """

    def __init__(
        self,
        db: Database | ReadRoute,
        batch_scheduler: BatchScheduler[Batch],
        asked: frozenset[str],
        visible_to: EngineerId | None,
    ) -> None:
        self._db = db
        self._batch_scheduler = batch_scheduler
        self._asked = asked
        self._visible_to = visible_to
        self._omit = omitted_columns(asked)
        self._made: list[BatchLoader[Any, Any]] = []
        self._ended = False
        self._users = 1

    def shared(self) -> Loaders:
        """For one more operation; it lasts until the last of them ends it."""
        self._users += 1
        return self

    def close(self) -> None:
        """Wait for nothing any longer, and read no more.

        Else what was read would outlive its operation: loaders and this refer to each other.
        """
        self._users -= 1
        if self._users:
            return
        self._ended = True
        for loader in self._made:
            loader.close()
        self._made.clear()
        for name in [name for name, value in vars(self).items() if isinstance(value, BatchLoader)]:
            delattr(self, name)

    @property
    def _reads_histories(self) -> bool:
        return not self._asked.isdisjoint(_OF_HISTORIES)

    @cached_property
    def ticket(self) -> BatchLoader[TicketId, Ticket | None]:
        """With what is asked about who has it, in the same statement."""
        if self._reads_histories:
            return self._loader(
                "ticket_with_history",
                lambda: _many(self._visible(tickets.with_history), key=_ticket_of_turn),
                self._with_history,
            )
        if "current_assignment" in self._asked:
            return self._loader(
                "ticket_with_current",
                lambda: _at_most_one(self._visible(tickets.with_current), key=_ticket_of_turn),
                self._with_current,
            )
        return self._loader("ticket", lambda: _at_most_one(self._visible(tickets.by_ids), key=_id))

    def _with_history(self, ticket_id: TicketId, turns: list[TicketWithAssignment] | None) -> Ticket | None:
        if not turns:
            return None
        history = [turn.assignment for turn in turns if turn.assignment is not None]
        self.assignment_history.prime(ticket_id, history)
        if "current_assignment" in self._asked:
            self.current_assignment.prime(ticket_id, current_assignment(history))
        for turn in turns:
            self._know(turn.engineer)
        return turns[0].ticket

    def _with_current(self, ticket_id: TicketId, turn: TicketWithAssignment | None) -> Ticket | None:
        if turn is None:
            return None
        self.current_assignment.prime(ticket_id, turn.assignment)
        self._know(turn.engineer)
        return turn.ticket

    def _know(self, engineer: Engineer | None) -> None:
        if engineer is not None:
            self.engineer.prime(engineer.id, engineer)

    @cached_property
    def ticket_page(self) -> BatchLoader[TicketPage, list[Ticket]]:
        """A statement for each page: how long one takes depends on what is searched for."""
        return self._loader("ticket_page", lambda: _page(self._narrowed(tickets.newest)), isolated=True)

    @cached_property
    def assignment(self) -> BatchLoader[AssignmentId, Assignment | None]:
        return self._loader("assignment", lambda: _at_most_one(self._visible(assignments.by_ids), key=_id))

    @cached_property
    def engineer(self) -> BatchLoader[EngineerId, Engineer | None]:
        return self._loader("engineer", lambda: _at_most_one(self._narrowed(engineers.by_ids), key=_id))

    @cached_property
    def equipment(self) -> BatchLoader[EquipmentId, Equipment | None]:
        return self._loader("equipment", lambda: _at_most_one(equipment.by_ids, key=_id))

    @cached_property
    def current_assignment(self) -> BatchLoader[TicketId, Assignment | None]:
        """Told by the history where that is read anyway."""
        if self._reads_histories:
            return self._loader("assignment_history", self._histories, _holder)
        return self._loader(
            "current_assignment",
            lambda: _at_most_one(self._narrowed(assignments.current_of_tickets), key=_ticket),
        )

    @cached_property
    def assignment_history(self) -> BatchLoader[TicketId, list[Assignment]]:
        return self._loader("assignment_history", self._histories, _list)

    def _histories(self) -> BatchLoadFn:
        return _many(self._narrowed(assignments.history_of_tickets), key=_ticket)

    @cached_property
    def active_assignments(self) -> BatchLoader[EngineerId, assignments.EngineerCount | None]:
        return self._loader(
            "active_assignments",
            lambda: _at_most_one(assignments.count_active_of_engineers, key=_engineer),
        )

    @cached_property
    def engineer_page(self) -> BatchLoader[EngineerPage, list[Assignment]]:
        return self._loader(
            "engineer_page", lambda: _of_engineers(self._visible(assignments.newest_of_engineers)), _list
        )

    @cached_property
    def engineer_total(self) -> BatchLoader[EngineerTotal, list[assignments.EngineerCount]]:
        fetch = partial(assignments.count_of_engineers, visible_to=self._visible_to)
        return self._loader("engineer_total", lambda: _of_engineers(fetch), _list)

    def _visible(self, fetch: Callable[..., Awaitable[V]]) -> Callable[..., Awaitable[V]]:
        return partial(fetch, visible_to=self._visible_to, omit=self._omit)

    def _narrowed(self, fetch: Callable[..., Awaitable[V]]) -> Callable[..., Awaitable[V]]:
        return partial(fetch, omit=self._omit)

    def _loader(
        self,
        name: str,
        read: Callable[[], BatchLoadFn],
        told: Callable[[Any, Any], Any] = _as_found,
        *,
        isolated: bool = False,
    ) -> BatchLoader[Any, Any]:
        """Loaders of one `name` must `read` the same."""

        def asks() -> tuple[BatchKey, BatchLoadFn]:
            return BatchKey(name, self._db, self._visible_to, self._omit), read()

        loader: BatchLoader[Any, Any] = BatchLoader(self._batch_scheduler, asks, told, isolated=isolated)
        self._made.append(loader)
        if self._ended:
            loader.close()
        return loader
