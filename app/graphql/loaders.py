"""The dataloaders of one operation, one for each relation of the graph."""

from __future__ import annotations

import asyncio
from functools import cached_property, partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

from app.domain.history import current_assignment
from app.domain.model import TicketDetails
from app.graphql.batching.loader import BatchKey, BatchLoader
from app.graphql.load_functions import (
    EngineerPage,
    EngineerTotal,
    TicketPage,
    TimelinePage,
    TimelineTotal,
    all_rows,
    one_row,
    rows_of_pages,
    ticket_pages,
)
from app.queries import assignments, engineers, equipment, events, tickets
from app.queries.columns import omitted_columns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from app.batch_scheduler import BatchScheduler
    from app.db.pool import Database
    from app.db.replicas import ReadRoute
    from app.domain.events import TicketEvent
    from app.domain.model import (
        Assignment,
        AssignmentId,
        Engineer,
        EngineerId,
        Equipment,
        EquipmentId,
        Ticket,
        TicketId,
        TicketNote,
    )
    from app.graphql.batching.loader import Batch, BatchLoadFn
    from app.queries.assignments import EngineerCount
    from app.queries.events import EventCount
    from app.queries.tickets import ExternalId, TicketWithAssignment

V = TypeVar("V")

_HISTORY_FIELDS = {
    "assignment_history",
    "escalation_count",
    "next_tier",
    "time_by_engineer",
    "total_time_spent_hours",
}
"""The fields of Ticket that are computed from its history."""

_id = attrgetter("id")
_ticket_id = attrgetter("ticket_id")
_id_of_ticket = attrgetter("ticket.id")
_engineer_id = attrgetter("engineer_id")


def _row_or_none(_: object, row: V | None) -> V | None:
    return row


def _row_list(_: object, rows: Sequence[V] | None) -> Sequence[V]:
    return rows or []


def _details_or_default(ticket_id: TicketId, row: TicketDetails | None) -> TicketDetails:
    return TicketDetails(ticket_id) if row is None else row


def _current_of_history(_: object, history: Sequence[Assignment] | None) -> Assignment | None:
    return current_assignment(history or [])


class Loaders:
    """The dataloaders of one operation, or of several that share them.

    `requested_fields` are the fields of the operation, in snake case: columns that none of them needs are not
    read. `visible_to` restricts reads to the tickets of one engineer; None allows all.
    """

    def __init__(
        self,
        db: Database | ReadRoute,
        batch_scheduler: BatchScheduler[Batch],
        requested_fields: frozenset[str],
        visible_to: EngineerId | None,
    ) -> None:
        self._db = db
        self._batch_scheduler = batch_scheduler
        self._requested_fields = requested_fields
        self._visible_to = visible_to
        self._omit = omitted_columns(requested_fields)
        self._loaders: list[BatchLoader[Any, Any]] = []
        self._is_closed = False
        self._users = 1

    def share(self) -> Loaders:
        """Add one more operation that uses and closes these loaders."""
        self._users += 1
        return self

    def close(self) -> None:
        """Stop reading when the last operation closes. Breaks the reference cycle with the loaders."""
        self._users -= 1
        if self._users:
            return
        self._is_closed = True
        for loader in self._loaders:
            loader.close()
        self._loaders.clear()
        for name in [name for name, value in vars(self).items() if isinstance(value, BatchLoader)]:
            delattr(self, name)

    @cached_property
    def heavy_lock(self) -> asyncio.Lock:
        """For statements that may read many rows: an operation executes them one after another."""
        return asyncio.Lock()

    @property
    def _needs_history(self) -> bool:
        return not self._requested_fields.isdisjoint(_HISTORY_FIELDS)

    @cached_property
    def ticket(self) -> BatchLoader[TicketId, Ticket | None]:
        """Reads the requested assignments and their engineers in the same statement."""
        if self._needs_history:
            return self._loader(
                "ticket_with_history",
                lambda: all_rows(self._visible(tickets.with_history), "ticket.id"),
                self._prime_with_history,
            )
        if "current_assignment" in self._requested_fields:
            return self._loader(
                "ticket_with_current",
                lambda: one_row(self._visible(tickets.with_current), _id_of_ticket),
                self._prime_with_current,
            )
        return self._loader("ticket", lambda: one_row(self._visible(tickets.by_ids), _id))

    def _prime_with_history(
        self, ticket_id: TicketId, rows: list[TicketWithAssignment] | None
    ) -> Ticket | None:
        if not rows:
            return None
        history = [row.assignment for row in rows if row.assignment is not None]
        self.assignment_history.prime(ticket_id, history)
        if "current_assignment" in self._requested_fields:
            self.current_assignment.prime(ticket_id, current_assignment(history))
        # A long history has few engineers.
        for engineer in {row.engineer.id: row.engineer for row in rows if row.engineer is not None}.values():
            self._prime_engineer(engineer)
        return rows[0].ticket

    def _prime_with_current(self, ticket_id: TicketId, row: TicketWithAssignment | None) -> Ticket | None:
        if row is None:
            return None
        self.current_assignment.prime(ticket_id, row.assignment)
        self._prime_engineer(row.engineer)
        return row.ticket

    def _prime_engineer(self, engineer: Engineer | None) -> None:
        if engineer is not None:
            self.engineer.prime(engineer.id, engineer)

    @cached_property
    def ticket_page(self) -> BatchLoader[TicketPage, Sequence[Ticket]]:
        """Reads each page in its own statement, because their durations differ with the filter."""
        return self._ticket_pages("ticket_page", heavy=False)

    @cached_property
    def ticket_search_page(self) -> BatchLoader[TicketPage, Sequence[Ticket]]:
        """As `ticket_page`, for filters that may have to read many rows."""
        return self._ticket_pages("ticket_search_page", heavy=True)

    def _ticket_pages(self, name: str, *, heavy: bool) -> BatchLoader[TicketPage, Sequence[Ticket]]:
        return self._loader(
            name, lambda: ticket_pages(self._omitting(tickets.newest)), isolated=True, heavy=heavy
        )

    @cached_property
    def ticket_details(self) -> BatchLoader[TicketId, TicketDetails]:
        return self._loader(
            "ticket_details",
            lambda: one_row(tickets.details_of_tickets, _ticket_id),
            _details_or_default,
        )

    @cached_property
    def assignment(self) -> BatchLoader[AssignmentId, Assignment | None]:
        return self._loader("assignment", lambda: one_row(self._visible(assignments.by_ids), _id))

    @cached_property
    def engineer(self) -> BatchLoader[EngineerId, Engineer | None]:
        return self._loader("engineer", lambda: one_row(self._omitting(engineers.by_ids), _id))

    @cached_property
    def equipment(self) -> BatchLoader[EquipmentId, Equipment | None]:
        return self._loader("equipment", lambda: one_row(equipment.by_ids, _id))

    @cached_property
    def current_assignment(self) -> BatchLoader[TicketId, Assignment | None]:
        """Reads the histories if the operation needs them anyway."""
        if self._needs_history:
            return self._loader("assignment_history", self._histories, _current_of_history)
        return self._loader(
            "current_assignment", lambda: one_row(self._omitting(assignments.current_of_tickets), _ticket_id)
        )

    @cached_property
    def assignment_history(self) -> BatchLoader[TicketId, Sequence[Assignment]]:
        return self._loader("assignment_history", self._histories, _row_list)

    def _histories(self) -> BatchLoadFn:
        return all_rows(self._omitting(assignments.history_of_tickets), "ticket_id")

    @cached_property
    def active_assignments(self) -> BatchLoader[EngineerId, EngineerCount | None]:
        query = partial(assignments.count_active_of_engineers, visible_to=self._visible_to)
        return self._loader("active_assignments", lambda: one_row(query, _engineer_id))

    @cached_property
    def engineer_page(self) -> BatchLoader[EngineerPage, list[Assignment]]:
        query = self._visible(assignments.newest_of_engineers)
        return self._loader("engineer_page", lambda: rows_of_pages(query, "engineer_id"), _row_list)

    @cached_property
    def engineer_total(self) -> BatchLoader[EngineerTotal, list[EngineerCount]]:
        query = partial(assignments.count_of_engineers, visible_to=self._visible_to)
        return self._loader(
            "engineer_total", lambda: rows_of_pages(query, "engineer_id"), _row_list, heavy=True
        )

    @cached_property
    def timeline_page(self) -> BatchLoader[TimelinePage, list[TicketEvent]]:
        return self._loader("timeline_page", lambda: rows_of_pages(events.of_tickets, "ticket_id"), _row_list)

    @cached_property
    def timeline_total(self) -> BatchLoader[TimelineTotal, list[EventCount]]:
        return self._loader(
            "timeline_total",
            lambda: rows_of_pages(events.count_of_tickets, "ticket_id"),
            _row_list,
            heavy=True,
        )

    @cached_property
    def external_ids(self) -> BatchLoader[TicketId, Sequence[ExternalId]]:
        return self._loader("external_ids", lambda: all_rows(tickets.external_ids, "ticket_id"), _row_list)

    @cached_property
    def handover_notes(self) -> BatchLoader[TicketId, Sequence[TicketNote]]:
        return self._loader(
            "handover_notes", lambda: all_rows(tickets.handover_notes, "ticket_id"), _row_list
        )

    def _visible(self, query: Callable[..., Awaitable[V]]) -> Callable[..., Awaitable[V]]:
        """Restrict a query to the visible tickets and the requested columns."""
        return partial(query, visible_to=self._visible_to, omit=self._omit)

    def _omitting(self, query: Callable[..., Awaitable[V]]) -> Callable[..., Awaitable[V]]:
        """Restrict a query to the requested columns."""
        return partial(query, omit=self._omit)

    def _loader(
        self,
        name: str,
        load_fn: Callable[[], BatchLoadFn],
        to_value: Callable[[Any, Any], Any] = _row_or_none,
        *,
        isolated: bool = False,
        heavy: bool = False,
    ) -> BatchLoader[Any, Any]:
        """Make a loader. `load_fn` is called only if a key is not cached.

        Loaders with the same name share batches, so their `load_fn` must read the same.
        """

        def source() -> tuple[BatchKey, BatchLoadFn]:
            # A batch that is not isolated belongs to several operations.
            lock = self.heavy_lock if heavy and isolated else None
            return BatchKey(name, self._db, self._visible_to, self._omit, heavy, lock=lock), load_fn()

        loader: BatchLoader[Any, Any] = BatchLoader(
            self._batch_scheduler, source, to_value, isolated=isolated
        )
        self._loaders.append(loader)
        if self._is_closed:
            loader.close()
        return loader
