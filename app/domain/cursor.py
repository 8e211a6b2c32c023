"""How far somebody has followed the events, exactly, although they become visible out of order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Self, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Ranges: TypeAlias = "tuple[tuple[int, int], ...]"
"""First and last id of each, ascending, apart from one another."""

_LAST_ID = 2**63 - 1
_MOST_RANGES = 1000
_TEXT = re.compile(r"(\d{1,18}(-\d{1,18})?\.)*\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The ids that were not seen yet: those to come, and the gaps that a slower transaction may still fill.

    An event's id is taken before its transaction commits, so 998 may become visible after 1000. Who had
    seen all up to 997, and 1000, has seen neither 998 to 999 nor anything from 1001 on: "998-999.1001".
    """

    unseen: Ranges

    @classmethod
    def after_all_to(cls, last: int) -> Self:
        return cls(((last + 1, _LAST_ID),))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError."""
        if not _TEXT.fullmatch(text):
            raise ValueError("not a cursor of events")
        *gaps, upcoming = (tuple(map(int, part.split("-"))) for part in text.split("."))
        ranges = (*((gap[0], gap[-1]) for gap in gaps), (upcoming[0], _LAST_ID))
        in_order = all(first <= last for first, last in ranges) and all(
            before[1] < after[0] for before, after in pairwise(ranges)
        )
        if len(ranges) > _MOST_RANGES or len(upcoming) > 1 or not in_order:
            raise ValueError("not a cursor of events")
        return cls(ranges)

    def __str__(self) -> str:
        gaps = [str(first) if first == last else f"{first}-{last}" for first, last in self.unseen[:-1]]
        return ".".join([*gaps, str(self.upcoming)])

    @property
    def upcoming(self) -> int:
        """The lowest id of which none above has been seen."""
        return self.unseen[-1][0]

    @property
    def has_gaps(self) -> bool:
        return len(self.unseen) > 1

    def contains(self, event_id: int) -> bool:
        return not any(first <= event_id <= last for first, last in self.unseen)

    def difference(self, other: Cursor) -> Ranges:
        """What `other` has seen and this one has not."""
        return _minus(self.unseen, other.unseen)

    def advance(self, ranges: Ranges) -> Cursor:
        return Cursor(_minus(self.unseen, ranges))

    def __or__(self, other: Cursor) -> Cursor:
        """Having seen what either has."""
        return other if self.unseen == other.unseen else self.advance(self.difference(other))


def up_to(ranges: Ranges, last: int) -> Ranges:
    return _minus(ranges, ((last + 1, _LAST_ID),))


def beyond(ranges: Ranges, last: int) -> Ranges:
    return _minus(ranges, ((0, last),))


def _minus(ranges: Ranges, taken: Sequence[tuple[int, int]]) -> Ranges:
    return tuple(left for whole in ranges for left in _pieces(whole, taken))


def _pieces(whole: tuple[int, int], taken: Sequence[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    first, last = whole
    for begin, end in taken:
        if end < first or begin > last:
            continue
        if first < begin:
            yield first, begin - 1
        first = end + 1
    if first <= last:
        yield first, last
