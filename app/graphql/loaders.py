"""One dataloader for each edge of the graph, made anew for every operation."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from aiodataloader import DataLoader, Loader, dispatch_queue

from app.domain.history import holder
from app.execution.waiting import settle
from app.queries import assignments, engineers, equipment, tickets
from app.queries.columns import left_out

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from app.db.pool import Connection, Database
    from app.db.standbys import Reading
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
    from app.queries.assignments import AssignmentKey

K = TypeVar("K")
V = TypeVar("V")

MAX_BATCH = 1000
"""Keys in one statement."""

_OF_HISTORIES = {"assignment_history", "escalation_count", "time_by_engineer", "total_time_spent_hours"}
"""The fields of a ticket that are made of its history."""


class Batches(DataLoader[K, V]):
    """Reads what was asked for until the event loop's next turn.

    That is all that a level asks for; the library itself waits for two turns more.
    """

    def do_resolve_reject(self, key: K, future: asyncio.Future[V]) -> None:
        self._queue.append(Loader(key, future))
        if len(self._queue) == 1:
            self.loop.call_soon(dispatch_queue, self)


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


class Loaders:
    """`asked` are the names of all fields of the operation, as the domain spells them.

    Columns that none of them needs are left out. `only_of` is the engineer to whose own the reader is
    confined.
    """

    def __init__(self, db: Database | Reading, asked: frozenset[str], only_of: EngineerId | None) -> None:
        self._db = db
        self._only_of = only_of
        self._asked = asked
        self.leave_out = left_out(asked)
        self._batches: set[asyncio.Task[Any]] = set()
        self._made: list[str] = []
        self._ended = False

    def end(self) -> None:
        """Cut short what is being read, the statement on the server included, and read no more.

        A batch is a task of its own: it would outlive the operation that asked for it. What was read would,
        too, until a collector comes: the loaders and this refer to each other.
        """
        self._ended = True
        for batch in self._batches:
            batch.cancel()
        for name in self._made:
            vars(self).pop(name, None)

    @property
    def _reads_histories(self) -> bool:
        return not self._asked.isdisjoint(_OF_HISTORIES)

    @cached_property
    def ticket(self) -> DataLoader[TicketId, Ticket | None]:
        """With what is asked about who has it, in the same statement."""
        if self._reads_histories:
            return self._loader("ticket", self._with_histories)
        if "current_assignment" in self._asked:
            return self._loader("ticket", self._with_current)
        return self._at_most_one(
            "ticket",
            partial(tickets.by_ids, only_of=self._only_of, leave_out=self.leave_out),
            key=lambda ticket: ticket.id,
        )

    async def _with_histories(self, keys: list[TicketId]) -> list[Ticket | None]:
        async with self._db.connection() as conn:
            turns = await tickets.with_history(conn, keys, only_of=self._only_of, leave_out=self.leave_out)
        found: dict[TicketId, Ticket | None] = {}
        histories: defaultdict[TicketId, list[Assignment]] = defaultdict(list)
        for turn in turns:
            found[turn.ticket.id] = turn.ticket
            if turn.assignment is not None:
                histories[turn.ticket.id].append(turn.assignment)
            self._know(turn.engineer)
        for ticket_id in found:
            self.assignment_history.prime(ticket_id, histories[ticket_id])
        return [found.get(key) for key in keys]

    async def _with_current(self, keys: list[TicketId]) -> list[Ticket | None]:
        async with self._db.connection() as conn:
            turns = await tickets.with_current(conn, keys, only_of=self._only_of, leave_out=self.leave_out)
        for turn in turns:
            self.current_assignment.prime(turn.ticket.id, turn.assignment)
            self._know(turn.engineer)
        found = {turn.ticket.id: turn.ticket for turn in turns}
        return [found.get(key) for key in keys]

    def _know(self, engineer: Engineer | None) -> None:
        if engineer is not None:
            self.engineer.prime(engineer.id, engineer)

    @cached_property
    def assignment(self) -> DataLoader[AssignmentId, Assignment | None]:
        return self._at_most_one(
            "assignment",
            partial(assignments.by_ids, only_of=self._only_of, leave_out=self.leave_out),
            key=lambda assignment: assignment.id,
        )

    @cached_property
    def engineer(self) -> DataLoader[EngineerId, Engineer | None]:
        return self._at_most_one(
            "engineer",
            partial(engineers.by_ids, leave_out=self.leave_out),
            key=lambda engineer: engineer.id,
        )

    @cached_property
    def equipment(self) -> DataLoader[EquipmentId, Equipment | None]:
        return self._at_most_one("equipment", equipment.by_ids, key=lambda item: item.id)

    @cached_property
    def current_assignment(self) -> DataLoader[TicketId, Assignment | None]:
        """Told by the history where that is read anyway."""
        if self._reads_histories:
            return self._loader("current_assignment", self._holders)
        return self._at_most_one(
            "current_assignment",
            partial(assignments.current_of_tickets, leave_out=self.leave_out),
            key=lambda assignment: assignment.ticket_id,
        )

    async def _holders(self, keys: list[TicketId]) -> list[Assignment | Exception | None]:
        histories: list[Any] = [self.assignment_history.load(key) for key in keys]
        await settle([histories])
        return [past if isinstance(past, Exception) else holder(past) for past in histories]

    @cached_property
    def assignment_history(self) -> DataLoader[TicketId, list[Assignment]]:
        return self._many(
            "assignment_history",
            partial(assignments.history_of_tickets, leave_out=self.leave_out),
            key=lambda assignment: assignment.ticket_id,
        )

    @cached_property
    def active_assignments(self) -> DataLoader[EngineerId, assignments.EngineerCount | None]:
        return self._at_most_one(
            "active_assignments", assignments.count_active_of_engineers, key=lambda count: count.engineer_id
        )

    @cached_property
    def engineer_page(self) -> DataLoader[EngineerPage, list[Assignment]]:
        return self._of_engineers(
            "engineer_page",
            partial(assignments.newest_of_engineers, only_of=self._only_of, leave_out=self.leave_out),
        )

    @cached_property
    def engineer_total(self) -> DataLoader[EngineerTotal, list[assignments.EngineerCount]]:
        return self._of_engineers(
            "engineer_total", partial(assignments.count_of_engineers, only_of=self._only_of)
        )

    def _of_engineers(
        self, name: str, fetch: Callable[..., Awaitable[list[Any]]]
    ) -> DataLoader[Any, list[Any]]:
        """Keys are tuples of an engineer and the same arguments as `fetch` takes after the engineers.

        Engineers whose arguments are equal share a statement.
        """

        async def batch(keys: list[tuple[Any, ...]]) -> list[list[Any]]:
            engineers_of: dict[tuple[Any, ...], list[EngineerId]] = defaultdict(list)
            for engineer_id, *arguments in keys:
                engineers_of[tuple(arguments)].append(engineer_id)
            found: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
            async with self._db.connection() as conn:
                for same, engineer_ids in engineers_of.items():
                    for row in await fetch(conn, engineer_ids, *same):
                        found[row.engineer_id, *same].append(row)
            return [found[key] for key in keys]

        return self._loader(name, batch)

    def _many(
        self, name: str, fetch: Callable[[Connection, Sequence[K]], Awaitable[list[V]]], key: Callable[[V], K]
    ) -> DataLoader[K, list[V]]:
        """`fetch` takes keys and returns rows in any order of keys; a batch holds one connection."""

        async def batch(keys: list[K]) -> list[list[V]]:
            found: dict[K, list[V]] = defaultdict(list)
            async with self._db.connection() as conn:
                for row in await fetch(conn, keys):
                    found[key(row)].append(row)
            return [found[k] for k in keys]

        return self._loader(name, batch)

    def _at_most_one(
        self, name: str, fetch: Callable[[Connection, Sequence[K]], Awaitable[list[V]]], key: Callable[[V], K]
    ) -> DataLoader[K, V | None]:
        async def batch(keys: list[K]) -> list[V | None]:
            async with self._db.connection() as conn:
                found = {key(row): row for row in await fetch(conn, keys)}
            return [found.get(k) for k in keys]

        return self._loader(name, batch)

    def _loader(self, name: str, batch: Callable[[list[K]], Awaitable[list[Any]]]) -> DataLoader[K, V]:
        """`name` is that of its property."""

        async def owned(keys: list[K]) -> list[Any]:
            if self._ended:
                raise asyncio.CancelledError
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 - DataLoader makes one for each batch
            self._batches.add(task)
            self._db.metrics.loader_keys(name).observe(len(keys))
            try:
                return await batch(keys)
            finally:
                self._batches.discard(task)

        self._made.append(name)
        return Batches(owned, max_batch_size=MAX_BATCH)
