"""Says what is wrong with a history, from what clients saw and what the database holds in the end.

Every operation has an id of its own, which is its idempotency key and the reason that its row keeps.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, slots=True)
class Operation:
    """One wish, sent until it was answered: `opens` a row, or ends one.

    Times are the clients' clock, of the first try and of the answer. `answers` are the sequences that were
    told, one for each answer; none where it was refused or never answered.
    """

    id: str
    ticket: str
    opens: bool
    began: float
    ended: float | None
    refused: bool
    answers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """The operations that opened a ticket's rows, by sequence, as a client saw them."""

    ticket: str
    began: float
    opened_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    ticket: str
    sequence: int
    opened_by: str
    ended_by: str | None
    active: bool
    assigned_at: datetime


def violations(operations: Sequence[Operation], reads: Sequence[Read], rows: Sequence[Row]) -> list[str]:
    """One sentence for each; none when the history is as promised."""
    history: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.sequence):
        history[row.ticket].append(row)
    return [
        *(said for ticket, turns in history.items() for said in _of_ticket(ticket, turns)),
        *(said for operation in operations for said in _of_operation(operation, history[operation.ticket])),
        *_of_order([o for o in operations if o.answers and o.opens]),
        *(said for read in reads for said in _of_read(read, history[read.ticket], operations)),
    ]


def _of_ticket(ticket: str, turns: Sequence[Row]) -> Iterator[str]:
    sequences = [row.sequence for row in turns]
    if sequences != list(range(1, len(turns) + 1)):
        yield f"I1 {ticket} has the sequences {sequences}"
    if any(row.active for row in turns[:-1]):
        yield f"I2 {ticket} has an active assignment that is not its last"
    if any(earlier.assigned_at > later.assigned_at for earlier, later in pairwise(turns)):
        yield f"I7 {ticket} has a later assignment with an earlier time"


def _of_operation(operation: Operation, turns: Sequence[Row]) -> Iterator[str]:
    made = [row for row in turns if operation.id == (row.opened_by if operation.opens else row.ended_by)]
    told = set(operation.answers)
    if told and told != {row.sequence for row in made}:
        yield f"I3 {operation.id} was told {sorted(told)}, but there is {[row.sequence for row in made]}"
    if len(made) > 1:
        yield f"I4 {operation.id} was done {len(made)} times"
    if operation.refused and made:
        yield f"I5 {operation.id} was refused, but done"


def _of_order(done: Sequence[Operation]) -> Iterator[str]:
    for first in done:
        for then in done:
            if (
                first.ticket == then.ticket
                and first.ended is not None
                and first.ended < then.began
                and max(first.answers) > min(then.answers)
            ):
                yield f"I6 {first.id} ended before {then.id} began, but comes after it"


def _of_read(read: Read, turns: Sequence[Row], operations: Sequence[Operation]) -> Iterator[str]:
    whole = tuple(row.opened_by for row in turns)
    if whole[: len(read.opened_by)] != read.opened_by:
        yield f"I8 {read.ticket} was seen as {read.opened_by}, but is {whole}"
    known = {
        o.id
        for o in operations
        if o.ticket == read.ticket and o.opens and o.answers and o.ended is not None and o.ended < read.began
    }
    if missing := known - set(read.opened_by):
        yield f"I8 {read.ticket} was seen without {sorted(missing)}, told before"
