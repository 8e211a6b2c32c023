"""A cursor says exactly what was seen, in whatever order it came."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.cursor import Cursor, beyond, up_to

IDS = st.sets(st.integers(1, 40))
UNIVERSE = range(1, 60)


def having_seen(ids: set[int]) -> Cursor:
    cursor = Cursor.after(0)
    for event_id in ids:
        cursor = cursor.advance(((event_id, event_id),))
    return cursor


def seen(cursor: Cursor) -> set[int]:
    return {event_id for event_id in UNIVERSE if cursor.contains(event_id)}


def within(ranges) -> set[int]:
    return {event_id for event_id in UNIVERSE if any(first <= event_id <= last for first, last in ranges)}


@given(IDS)
def test_it_has_seen_what_it_was_shown_and_nothing_else(ids):
    assert seen(having_seen(ids)) == ids


@given(IDS)
def test_its_text_is_itself(ids):
    cursor = having_seen(ids)
    assert Cursor.parse(str(cursor)) == cursor


@given(IDS, IDS)
def test_of_two_the_union_has_seen_what_either_has(one, other):
    assert seen(having_seen(one) | having_seen(other)) == one | other


@given(IDS, IDS)
def test_it_lacks_what_the_other_has_seen_and_it_has_not(one, other):
    assert within(having_seen(one).difference(having_seen(other))) == other - one


@given(IDS, st.integers(0, 50))
def test_ranges_are_cut_at_an_id(ids, cut):
    ranges = having_seen(ids).unseen
    assert within(up_to(ranges, cut)) == {i for i in within(ranges) if i <= cut}
    assert within(beyond(ranges, cut)) == {i for i in within(ranges) if i > cut}


@given(IDS)
def test_the_upcoming_id_is_above_all_that_were_seen(ids):
    assert having_seen(ids).upcoming == max(ids, default=0) + 1


def test_a_gap_is_written_as_people_would():
    cursor = Cursor.after(997).advance(((1000, 1000), (1002, 1002)))
    assert str(cursor) == "998-999.1001.1003"


@pytest.mark.parametrize(
    "text",
    ["", "x", "1-", "-1", "5-3.9", "9.3", "1-2", "3-4.4", "1.1.1", "1 ", "٣", "9" * 19, ".".join("1" * 2000)],
)
def test_what_is_no_cursor_is_refused(text):
    with pytest.raises(ValueError, match="not a cursor"):
        Cursor.parse(text)
