"""Cursors record exactly the event ids seen, in any order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.cursor import Cursor, beyond, up_to

IDS = st.sets(st.integers(1, 40))
ALL_IDS = range(1, 60)


def cursor_of(ids: set[int]) -> Cursor:
    cursor = Cursor.after(0)
    for event_id in ids:
        cursor = cursor.advance(((event_id, event_id),))
    return cursor


def ids_of(cursor: Cursor) -> set[int]:
    return {event_id for event_id in ALL_IDS if cursor.contains(event_id)}


def within(ranges) -> set[int]:
    return {event_id for event_id in ALL_IDS if any(first <= event_id <= last for first, last in ranges)}


@given(IDS)
def test_cursor_contains_exactly_the_ids_seen(ids):
    assert ids_of(cursor_of(ids)) == ids


@given(IDS)
def test_text_round_trip(ids):
    cursor = cursor_of(ids)
    assert Cursor.parse(str(cursor)) == cursor


@given(IDS, IDS)
def test_union_contains_the_ids_of_both(one, other):
    assert ids_of(cursor_of(one) | cursor_of(other)) == one | other


@given(IDS, IDS)
def test_difference_is_what_only_the_other_has_seen(one, other):
    assert within(cursor_of(one).difference(cursor_of(other))) == other - one


@given(IDS, st.integers(0, 50))
def test_ranges_are_split_at_an_id(ids, cut):
    ranges = cursor_of(ids).unseen
    assert within(up_to(ranges, cut)) == {i for i in within(ranges) if i <= cut}
    assert within(beyond(ranges, cut)) == {i for i in within(ranges) if i > cut}


@given(IDS)
def test_upcoming_is_above_all_ids_seen(ids):
    assert cursor_of(ids).upcoming == max(ids, default=0) + 1


def test_text_lists_the_gaps():
    cursor = Cursor.after(997).advance(((1000, 1000), (1002, 1002)))
    assert str(cursor) == "998-999.1001.1003"


@pytest.mark.parametrize(
    "text",
    ["", "x", "1-", "-1", "5-3.9", "9.3", "1-2", "3-4.4", "1.1.1", "1 ", "٣", "9" * 19, ".".join("1" * 2000)],
)
def test_malformed_cursor_is_refused(text):
    with pytest.raises(ValueError, match="not an event cursor"):
        Cursor.parse(text)
