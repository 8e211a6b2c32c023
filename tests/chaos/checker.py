"""Says what is wrong with a history, from what clients saw and what the database holds in the end.

Every operation has an id of its own: its idempotency key, the id of its requests, which its events keep, and
the reason that a row keeps which it opens. Nothing here is taken from the product.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Heard: TypeAlias = "tuple[str, int, str, datetime]"
"""An event as a follower hears it: ticket, sequence, type, time."""

ANSWERED_BY = {
    "assign": {"assigned"},
    "reassign": {"assigned"},
    "escalate": {"assigned"},
    "accept": {"accepted"},
    "start": {"started"},
    "complete": {"completed", "failed"},
    "cancel": {"cancelled"},
    "rate": {"rated"},
}
"""By kind of operation, the types of the event whose assignment is answered."""
_LEAVES = {"accept": "accepted", "start": "started", "complete": "ended", "cancel": "ended", "rate": "rated"}
"""By kind of operation, what everybody sees of the assignment from then on."""
_ACTIVE = {"assigned", "accepted", "in_progress"}
_LIFE = {
    "accepted": ({"assigned"}, "accepted"),
    "started": ({"assigned", "accepted"}, "in_progress"),
    "completed": ({"accepted", "in_progress"}, "completed"),
    "failed": ({"accepted", "in_progress"}, "failed"),
    "escalated": (_ACTIVE, "escalated"),
    "reassigned": (_ACTIVE, "cancelled"),
    "cancelled": (_ACTIVE, "cancelled"),
    "rated": ({"completed", "failed", "escalated"}, None),
}
"""By type of event, from which statuses it may come and to which it leads; None is no other."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One wish, sent until it was answered.

    Times are the clients' clock, of the first try and of the answer. `answers` are the sequences that were
    told, one for each answer; none where it was refused or never answered.
    """

    id: str
    kind: str
    ticket: str
    began: float
    ended: float | None
    refused: bool
    answers: tuple[int, ...]
    hours: Decimal = Decimal(0)
    """What it adds to the ticket."""


@dataclass(frozen=True, slots=True)
class Turn:
    """An assignment as it was seen: by which operation it was opened, and what was `done` to it since."""

    opened_by: str
    done: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Read:
    """A ticket's assignments, by sequence, as a client saw them."""

    ticket: str
    began: float
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Row:
    ticket: str
    sequence: int
    turn: Turn
    status: str
    assigned_at: datetime
    hours: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Event:
    id: int
    by: str
    heard_as: Heard


@dataclass(frozen=True, slots=True)
class History:
    """What happened, by what clients saw on the way; rows, events and shown hours are of the end."""

    operations: Sequence[Operation] = ()
    reads: Sequence[Read] = ()
    rows: Sequence[Row] = ()
    events: Sequence[Event] = ()
    heard: Mapping[str, Sequence[Heard]] = field(default_factory=dict)
    """By follower."""
    shown_hours: Mapping[str, Decimal] = field(default_factory=dict)
    """By ticket, as the API adds them up."""


def violations(history: History) -> list[str]:
    """A sentence for each: which rule, of what, and what is wrong. None when all is as promised."""
    events = sorted(history.events, key=lambda event: event.id)
    made: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        made[event.by].append(event)
    of_ticket: dict[str, _OfTicket] = defaultdict(_OfTicket)
    for row in sorted(history.rows, key=lambda row: row.sequence):
        of_ticket[row.ticket].rows.append(row)
    for event in events:
        of_ticket[event.heard_as[0]].events.append(event)
    for operation in sorted(history.operations, key=lambda operation: operation.began):
        answering = [e for e in made[operation.id] if e.heard_as[2] in ANSWERED_BY[operation.kind]]
        of_ticket[operation.ticket].operations.append((operation, answering))
    for read in sorted(history.reads, key=lambda read: read.began):
        of_ticket[read.ticket].reads.append(read)
    return [
        *(said for ticket, own in of_ticket.items() for said in _of_ticket(ticket, own)),
        *(said for ticket, own in of_ticket.items() for said in _of_hours(ticket, own, history.shown_hours)),
        *(said for name, heard in history.heard.items() for said in _of_follower(name, heard, events)),
    ]


@dataclass(slots=True)
class _OfTicket:
    """Rows by sequence, events by id, operations (with the events that answer them) and reads by time."""

    rows: list[Row] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    operations: list[tuple[Operation, list[Event]]] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)


def _of_ticket(ticket: str, own: _OfTicket) -> Iterator[str]:
    yield from _of_rows(ticket, own.rows)
    for operation, made in own.operations:
        yield from _of_operation(operation, made)
    yield from _of_order(own)
    yield from _of_reads(ticket, own)
    yield from _of_life(ticket, own)


def _of_rows(ticket: str, rows: Sequence[Row]) -> Iterator[str]:
    sequences = [row.sequence for row in rows]
    if sequences != list(range(1, len(rows) + 1)):
        yield f"I1 {ticket} has the sequences {sequences}"
    if any(row.status in _ACTIVE for row in rows[:-1]):
        yield f"I2 {ticket} has an active assignment that is not its last"
    if any(earlier.assigned_at > later.assigned_at for earlier, later in pairwise(rows)):
        yield f"I7 {ticket} has a later assignment with an earlier time"


def _of_operation(operation: Operation, made: Sequence[Event]) -> Iterator[str]:
    told, there = set(operation.answers), [event.heard_as[1] for event in made]
    if told and told != set(there):
        yield f"I3 {operation.id} ({operation.kind}) was told {sorted(told)}, but there is {there}"
    if len(made) > 1:
        yield f"I4 {operation.id} ({operation.kind}) was done {len(made)} times"
    if operation.refused and made:
        yield f"I5 {operation.id} ({operation.kind}) was refused, but done"


def _of_order(own: _OfTicket) -> Iterator[str]:
    """Ids of one ticket's events are in the order of its changes."""
    done = [(operation, made) for operation, made in own.operations if made]
    told = sorted((o.ended, made[-1].id, o.id) for o, made in done if o.ended is not None and o.answers)
    latest, ended = (0, ""), 0
    for then, made in done:
        while ended < len(told) and told[ended][0] < then.began:
            latest, ended = max(latest, told[ended][1:]), ended + 1
        if latest[0] > made[0].id:
            yield f"I6 {latest[1]} ended before {then.id} began, but comes after it"


def _of_reads(ticket: str, own: _OfTicket) -> Iterator[str]:
    told = sorted((o.ended, o.kind, max(o.answers)) for o, _ in own.operations if o.answers and o.ended)
    known, known_length, ended = set[tuple[int, str]](), 0, 0
    for read in own.reads:
        while ended < len(told) and told[ended][0] < read.began:
            _, kind, sequence = told[ended]
            if kind in _LEAVES:
                known.add((sequence, _LEAVES[kind]))
            known_length, ended = max(known_length, sequence), ended + 1
        seen = {(n, done) for n, turn in enumerate(read.turns, 1) for done in turn.done}
        if len(read.turns) < known_length:
            yield f"I8 {ticket} was seen with {len(read.turns)} assignments, after {known_length} was told"
        elif missing := known - seen:
            yield f"I8 {ticket} was seen without {sorted(missing)}, told before"
        in_the_end = [row.turn for row in own.rows[: len(read.turns)]]
        if len(in_the_end) < len(read.turns) or any(
            turn.opened_by != last.opened_by or turn.done - last.done
            for turn, last in zip(read.turns, in_the_end, strict=True)
        ):
            yield f"I8 {ticket} was seen as {read.turns}, but is {in_the_end}"


def _of_life(ticket: str, own: _OfTicket) -> Iterator[str]:
    """The events, done again in their order, lead to the rows."""
    turns: dict[int, tuple[str, str]] = {}  # by sequence, who opened it, and its status
    for event in own.events:
        _, sequence, kind, _ = event.heard_as
        opened_by, status = turns.get(sequence, (event.by, "none"))
        if kind == "assigned":
            next_is_free = sequence == len(turns) + 1 and not any(s in _ACTIVE for _, s in turns.values())
            allowed, after = {"none"} if next_is_free else set(), "assigned"
        else:
            allowed, after = _LIFE[kind]
        if status not in allowed:
            yield f"I9 {ticket} has {kind} of {sequence} by {event.by}, which was {status}, after {turns}"
        turns[sequence] = (opened_by, after or status)
    if turns != {row.sequence: (row.turn.opened_by, row.status) for row in own.rows}:
        yield f"I9 {ticket} has events that lead to {turns}, and the rows {own.rows}"


def _of_hours(ticket: str, own: _OfTicket, shown: Mapping[str, Decimal]) -> Iterator[str]:
    """What was never answered counts when it was done."""
    told = sum(o.hours for o, made in own.operations if o.answers or (o.ended is None and made))
    stored = sum(row.hours for row in own.rows)
    if not told == stored == shown.get(ticket, 0):
        yield f"I10 {ticket} was told {told} hours, holds {stored}, and shows {shown.get(ticket)}"


def _of_follower(name: str, heard: Sequence[Heard], events: Sequence[Event]) -> Iterator[str]:
    there = Counter(event.heard_as for event in events)
    if there != Counter(heard):
        yield (
            f"I11 {name} heard {len(heard)} of {len(events)} events: missed {list(there - Counter(heard))},"
            f" heard too much {list(Counter(heard) - there)}"
        )
    places = {event.heard_as: event.id for event in events}
    last: dict[str, int] = {}
    for each in heard:
        ticket, place = each[0], places.get(each, 0)
        if place < last.get(ticket, 0):
            yield f"I11 {name} heard {each} too late"
        last[ticket] = place
