"""Checks a history for violations: what clients saw, and what the database contains at the end.

Every operation has an id. It is the idempotency key, the request id stored with its events, and the
assignment reason of the row that it inserts. This module imports nothing of the product.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import TypeAlias

EventKey: TypeAlias = "tuple[str, int, str, datetime]"
"""What identifies an event for a follower: ticket, sequence, type, time."""

RESULT_EVENTS = {
    "assign": {"assigned"},
    "reassign": {"assigned"},
    "escalate": {"assigned"},
    "accept": {"accepted"},
    "start": {"started"},
    "complete": {"completed", "failed"},
    "cancel": {"cancelled"},
    "rate": {"rated"},
}
"""By kind of operation, the types of the event that holds the resulting assignment."""
_VISIBLE_AFTER = {
    "accept": "accepted",
    "start": "started",
    "complete": "ended",
    "cancel": "ended",
    "rate": "rated",
}
"""By kind of operation, what every later read must show of the assignment."""
_ACTIVE = {"assigned", "accepted", "in_progress"}
_TRANSITIONS = {
    "accepted": ({"assigned"}, "accepted"),
    "started": ({"assigned", "accepted"}, "in_progress"),
    "completed": ({"accepted", "in_progress"}, "completed"),
    "failed": ({"accepted", "in_progress"}, "failed"),
    "escalated": (_ACTIVE, "escalated"),
    "reassigned": (_ACTIVE, "cancelled"),
    "cancelled": (_ACTIVE, "cancelled"),
    "rated": ({"completed", "failed", "escalated"}, None),
}
"""By event type: the statuses it is allowed from, and the next status (None: unchanged)."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, sent until it was answered.

    Times of the first try and of the response are by the client's clock. `result_sequences` has one entry
    per response; it is empty when the operation was refused or never answered.
    """

    id: str
    kind: str
    ticket: str
    started: float
    ended: float | None
    refused: bool
    result_sequences: tuple[int, ...]
    hours: Decimal = Decimal(0)
    """Hours that it adds to the ticket."""


@dataclass(frozen=True, slots=True)
class AssignmentState:
    """An assignment as it was seen: the operation that created it, and what was `done` since."""

    assigned_by: str
    done: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Read:
    """A ticket's assignments, by sequence, as a client read them."""

    ticket: str
    started: float
    states: tuple[AssignmentState, ...]


@dataclass(frozen=True, slots=True)
class Row:
    ticket: str
    sequence: int
    state: AssignmentState
    status: str
    assigned_at: datetime
    hours: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Event:
    id: int
    caused_by: str
    key: EventKey


@dataclass(frozen=True, slots=True)
class History:
    """What clients saw while it ran; rows, events and shown hours are those at the end."""

    operations: Sequence[Operation] = ()
    reads: Sequence[Read] = ()
    rows: Sequence[Row] = ()
    events: Sequence[Event] = ()
    received: Mapping[str, Sequence[EventKey]] = field(default_factory=dict)
    """By follower."""
    shown_hours: Mapping[str, Decimal] = field(default_factory=dict)
    """By ticket: the sum that the API returns."""


def violations(history: History) -> list[str]:
    """Return a sentence per violation: the rule, the ticket or operation, and what is wrong."""
    events = sorted(history.events, key=lambda event: event.id)
    caused: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        caused[event.caused_by].append(event)
    by_ticket: dict[str, _TicketHistory] = defaultdict(_TicketHistory)
    for row in sorted(history.rows, key=lambda row: row.sequence):
        by_ticket[row.ticket].rows.append(row)
    for event in events:
        by_ticket[event.key[0]].events.append(event)
    for operation in sorted(history.operations, key=lambda operation: operation.started):
        answering = [e for e in caused[operation.id] if e.key[2] in RESULT_EVENTS[operation.kind]]
        by_ticket[operation.ticket].operations.append((operation, answering))
    for read in sorted(history.reads, key=lambda read: read.started):
        by_ticket[read.ticket].reads.append(read)
    return [
        *(
            sentence
            for ticket, ticket_history in by_ticket.items()
            for sentence in _check_ticket(ticket, ticket_history)
        ),
        *(
            sentence
            for ticket, ticket_history in by_ticket.items()
            for sentence in _check_hours(ticket, ticket_history, history.shown_hours)
        ),
        *(
            sentence
            for name, received in history.received.items()
            for sentence in _check_follower(name, received, events)
        ),
    ]


@dataclass(slots=True)
class _TicketHistory:
    """Rows by sequence, events by id, operations (with the events of their results) and reads by time."""

    rows: list[Row] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    operations: list[tuple[Operation, list[Event]]] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)


def _check_ticket(ticket: str, ticket_history: _TicketHistory) -> Iterator[str]:
    yield from _check_rows(ticket, ticket_history.rows)
    for operation, caused in ticket_history.operations:
        yield from _check_operation(operation, caused)
    yield from _check_order(ticket_history)
    yield from _check_reads(ticket, ticket_history)
    yield from _check_transitions(ticket, ticket_history)


def _check_rows(ticket: str, rows: Sequence[Row]) -> Iterator[str]:
    sequences = [row.sequence for row in rows]
    if sequences != list(range(1, len(rows) + 1)):
        yield f"I1 {ticket} has the sequences {sequences}"
    if any(row.status in _ACTIVE for row in rows[:-1]):
        yield f"I2 {ticket} has an active assignment that is not its last"
    if any(earlier.assigned_at > later.assigned_at for earlier, later in pairwise(rows)):
        yield f"I7 {ticket} has a later assignment with an earlier time"


def _check_operation(operation: Operation, caused: Sequence[Event]) -> Iterator[str]:
    acknowledged, actual = set(operation.result_sequences), [event.key[1] for event in caused]
    if acknowledged and acknowledged != set(actual):
        yield f"I3 {operation.id} ({operation.kind}) returned {sorted(acknowledged)}, but has {actual}"
    if len(caused) > 1:
        yield f"I4 {operation.id} ({operation.kind}) took effect {len(caused)} times"
    if operation.refused and caused:
        yield f"I5 {operation.id} ({operation.kind}) was refused, but took effect"


def _check_order(ticket_history: _TicketHistory) -> Iterator[str]:
    """Event ids of a ticket are in the order of its changes."""
    done = [(operation, caused) for operation, caused in ticket_history.operations if caused]
    acknowledged = sorted(
        (o.ended, caused[-1].id, o.id) for o, caused in done if o.ended is not None and o.result_sequences
    )
    latest, ended = (0, ""), 0
    for then, caused in done:
        while ended < len(acknowledged) and acknowledged[ended][0] < then.started:
            latest, ended = max(latest, acknowledged[ended][1:]), ended + 1
        if latest[0] > caused[0].id:
            yield f"I6 {latest[1]} ended before {then.id} began, but comes after it"


def _check_reads(ticket: str, ticket_history: _TicketHistory) -> Iterator[str]:
    acknowledged = sorted(
        (o.ended, o.kind, max(o.result_sequences))
        for o, _ in ticket_history.operations
        if o.result_sequences and o.ended
    )
    expected, expected_length, ended = set[tuple[int, str]](), 0, 0
    for read in ticket_history.reads:
        while ended < len(acknowledged) and acknowledged[ended][0] < read.started:
            _, kind, sequence = acknowledged[ended]
            if kind in _VISIBLE_AFTER:
                expected.add((sequence, _VISIBLE_AFTER[kind]))
            expected_length, ended = max(expected_length, sequence), ended + 1
        seen = {(n, done) for n, state in enumerate(read.states, 1) for done in state.done}
        if len(read.states) < expected_length:
            yield f"I8 {ticket} was read with {len(read.states)} assignments, after {expected_length}"
        elif missing := expected - seen:
            yield f"I8 {ticket} was read without {sorted(missing)}, acknowledged before"
        final = [row.state for row in ticket_history.rows[: len(read.states)]]
        if len(final) < len(read.states) or any(
            state.assigned_by != last.assigned_by or state.done - last.done
            for state, last in zip(read.states, final, strict=True)
        ):
            yield f"I8 {ticket} was read as {read.states}, but is {final}"


def _check_transitions(ticket: str, ticket_history: _TicketHistory) -> Iterator[str]:
    """Replaying the events gives the rows."""
    states: dict[int, tuple[str, str]] = {}  # by sequence: operation and status
    for event in ticket_history.events:
        _, sequence, kind, _ = event.key
        assigned_by, status = states.get(sequence, (event.caused_by, "none"))
        if kind == "assigned":
            next_is_free = sequence == len(states) + 1 and not any(s in _ACTIVE for _, s in states.values())
            allowed, after = {"none"} if next_is_free else set(), "assigned"
        else:
            allowed, after = _TRANSITIONS[kind]
        if status not in allowed:
            yield f"I9 {ticket} has {kind} of {sequence} by {event.caused_by} in {status}, after {states}"
        states[sequence] = (assigned_by, after or status)
    if states != {row.sequence: (row.state.assigned_by, row.status) for row in ticket_history.rows}:
        yield f"I9 {ticket} has events that lead to {states}, and the rows {ticket_history.rows}"


def _check_hours(ticket: str, ticket_history: _TicketHistory, shown: Mapping[str, Decimal]) -> Iterator[str]:
    """An operation without a response counts if it took effect."""
    acknowledged = sum(
        o.hours
        for o, caused in ticket_history.operations
        if o.result_sequences or (o.ended is None and caused)
    )
    stored = sum(row.hours for row in ticket_history.rows)
    if not acknowledged == stored == shown.get(ticket, 0):
        yield f"I10 {ticket} has {acknowledged} h acknowledged, {stored} stored, {shown.get(ticket)} shown"


def _check_follower(name: str, received: Sequence[EventKey], events: Sequence[Event]) -> Iterator[str]:
    actual = Counter(event.key for event in events)
    if actual != Counter(received):
        yield (
            f"I11 {name} received {len(received)} of {len(events)} events:"
            f" missed {list(actual - Counter(received))}, too many {list(Counter(received) - actual)}"
        )
    ids = {event.key: event.id for event in events}
    last: dict[str, int] = {}
    for each in received:
        ticket, event_id = each[0], ids.get(each, 0)
        if event_id < last.get(ticket, 0):
            yield f"I11 {name} received {each} out of order"
        last[ticket] = event_id
