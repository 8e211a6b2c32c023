"""The position of a subscriber in the stream of events, which become visible out of order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Self, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Ranges: TypeAlias = "tuple[tuple[int, int], ...]"
"""First and last id of each range, both included; ascending and disjoint."""

_LAST_ID = 2**63 - 1
_MAX_RANGES = 1000
_TEXT = re.compile(r"(\d{1,18}(-\d{1,18})?\.)*\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The event ids not seen yet: all future ones, and gaps that slower transactions may still fill.

    An event takes its id before its transaction commits, so 998 may become visible after 1000. A subscriber
    that has seen 1 to 997 and 1000 has the cursor "998-999.1001".
    """

    unseen: Ranges

    @classmethod
    def after(cls, last: int) -> Self:
        """Every id up to `last` has been seen."""
        return cls(((last + 1, _LAST_ID),))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError."""
        if not _TEXT.fullmatch(text):
            raise ValueError("not an event cursor")
        *gaps, upcoming = (tuple(map(int, part.split("-"))) for part in text.split("."))
        ranges = (*((gap[0], gap[-1]) for gap in gaps), (upcoming[0], _LAST_ID))
        in_order = all(first <= last for first, last in ranges) and all(
            before[1] < after[0] for before, after in pairwise(ranges)
        )
        if len(ranges) > _MAX_RANGES or len(upcoming) > 1 or not in_order:
            raise ValueError("not an event cursor")
        return cls(ranges)

    def __str__(self) -> str:
        gaps = [str(first) if first == last else f"{first}-{last}" for first, last in self.unseen[:-1]]
        return ".".join([*gaps, str(self.upcoming)])

    @property
    def upcoming(self) -> int:
        """The lowest id above all ids seen."""
        return self.unseen[-1][0]

    @property
    def has_gaps(self) -> bool:
        return len(self.unseen) > 1

    def contains(self, event_id: int) -> bool:
        return not any(first <= event_id <= last for first, last in self.unseen)

    def difference(self, other: Cursor) -> Ranges:
        """The ids that `other` has seen and this cursor has not."""
        return _minus(self.unseen, other.unseen)

    def advance(self, ranges: Ranges) -> Cursor:
        return Cursor(_minus(self.unseen, ranges))

    def __or__(self, other: Cursor) -> Cursor:
        """Return a cursor that has seen what either has seen."""
        return other if self.unseen == other.unseen else self.advance(self.difference(other))


def up_to(ranges: Ranges, last: int) -> Ranges:
    return _minus(ranges, ((last + 1, _LAST_ID),))


def beyond(ranges: Ranges, last: int) -> Ranges:
    return _minus(ranges, ((0, last),))


def _minus(ranges: Ranges, removed: Ranges) -> Ranges:
    return tuple(rest for first, last in ranges for rest in _subtract(first, last, removed))


def _subtract(first: int, last: int, removed: Ranges) -> Iterator[tuple[int, int]]:
    for start, end in removed:
        if end < first or start > last:
            continue
        if first < start:
            yield first, start - 1
        first = end + 1
    if first <= last:
        yield first, last
