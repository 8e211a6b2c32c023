"""The checker finds each kind of wrong history, and nothing in a right one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.chaos.checker import Event, History, Operation, Read, Row, Turn, violations


def operation(name, kind, began, ended, *answers, hours="0"):
    refused = ended is not None and not answers
    return Operation(name, kind, "T", began, ended, refused, answers, Decimal(hours))


def event(number, by, sequence, kind):
    return Event(number, by, ("T", sequence, kind, datetime(2030, 1, 1, 0, number, tzinfo=UTC)))


def row(sequence, opened_by, status, *done, minute=None, hours="0"):
    at = datetime(2030, 1, 1, 0, minute or sequence, tzinfo=UTC)
    return Row("T", sequence, Turn(opened_by, frozenset(done)), status, at, Decimal(hours))


def read(began, *turns):
    return Read("T", began, tuple(Turn(by, frozenset(done)) for by, *done in turns))


EVENTS = [
    event(1, "assign", 1, "assigned"),
    event(2, "accept", 1, "accepted"),
    event(3, "reassign", 1, "reassigned"),
    event(4, "reassign", 2, "assigned"),
    event(5, "start", 2, "started"),
    event(6, "complete", 2, "failed"),
    event(7, "rate", 2, "rated"),
    event(8, "rate again", 2, "rated"),
]
HEARD = [each.heard_as for each in EVENTS]
RIGHT = History(
    operations=[
        operation("assign", "assign", 0, 1, 1),
        operation("too late", "assign", 0, 2),
        operation("accept", "accept", 1.1, 2, 1, 1),
        operation("reassign", "reassign", 2.5, 3, 2),
        operation("start", "start", 3.5, 4, 2),
        operation("complete", "complete", 4.5, 5, 2, hours="1.25"),
        operation("rate", "rate", 5, 6, 2),
        operation("rate again", "rate", 5, 6.5, 2),
        operation("never answered", "assign", 7, None),
    ],
    reads=[
        read(0.5),
        read(0.6, ("assign",)),
        read(1.5, ("assign", "accepted")),
        read(3.4, ("assign", "accepted", "ended"), ("reassign",)),
        read(6, ("assign", "accepted", "ended"), ("reassign", "accepted", "started", "ended", "rated")),
    ],
    rows=[
        row(1, "assign", "cancelled", "accepted", "ended"),
        row(2, "reassign", "failed", "accepted", "started", "ended", "rated", hours="1.25"),
    ],
    events=EVENTS,
    heard={"one": HEARD, "other": HEARD},
    shown_hours={"T": Decimal("1.25")},
)


def rules(history):
    return {sentence.split()[0] for sentence in violations(history)}


def test_a_history_as_promised_has_no_violation():
    assert violations(RIGHT) == []
    done_without_an_answer = replace(
        RIGHT,
        rows=[*RIGHT.rows, row(3, "never answered", "assigned")],
        events=[*EVENTS, event(9, "never answered", 3, "assigned")],
        heard={},
    )
    assert violations(done_without_an_answer) == []


def test_hours_that_were_done_without_an_answer_count():
    sent = [
        replace(o, ended=None, answers=(), refused=False) if o.kind == "complete" else o
        for o in RIGHT.operations
    ]
    assert violations(replace(RIGHT, operations=sent)) == []


def with_row(number, **changes):
    return [replace(r, **changes) if r.sequence == number else r for r in RIGHT.rows]


def with_operation(name, **changes):
    return [replace(o, **changes) if o.id == name else o for o in RIGHT.operations]


def without(number):
    return [e for e in EVENTS if e.id != number]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rows": with_row(2, sequence=3)}, {"I1", "I9"}),
        ({"rows": [*RIGHT.rows, RIGHT.rows[1]]}, {"I1", "I10"}),
        ({"rows": with_row(1, status="accepted")}, {"I2", "I9"}),
        ({"rows": [], "events": [], "heard": {}, "reads": [], "shown_hours": {}}, {"I3", "I10"}),
        ({"operations": with_operation("start", answers=(1,))}, {"I3", "I8"}),
        ({"operations": with_operation("start", answers=(2, 1))}, {"I3"}),
        ({"operations": with_operation("too late", id="complete", kind="complete")}, {"I5"}),
        ({"rows": with_row(2, assigned_at=datetime(2029, 1, 1, tzinfo=UTC))}, {"I7"}),
        ({"operations": with_operation("reassign", began=5.5, ended=5.7)}, {"I6"}),
        ({"reads": [read(0.5, ("reassign",))]}, {"I8"}),
        ({"reads": [read(0.5, ("assign",), ("reassign",), ("never answered",))]}, {"I8"}),
        ({"reads": [read(1.5)]}, {"I8"}),
        ({"reads": [read(2.1, ("assign",))]}, {"I8"}),
        ({"reads": [read(4.1, ("assign", "accepted", "ended"), ("reassign",))]}, {"I8"}),
        ({"reads": [read(0.1, ("assign", "rated"))]}, {"I8"}),
        ({"rows": with_row(1, turn=Turn("too late", frozenset({"accepted", "ended"})))}, {"I8", "I9"}),
        ({"rows": with_row(2, status="completed")}, {"I9"}),
        ({"rows": with_row(2, hours=Decimal("2.5"))}, {"I10"}),
        ({"shown_hours": {"T": Decimal(0)}}, {"I10"}),
        ({"operations": with_operation("complete", hours=Decimal(1))}, {"I10"}),
        ({"heard": {"one": HEARD[:-1]}}, {"I11"}),
        ({"heard": {"one": [*HEARD, HEARD[-1]]}}, {"I11"}),
        ({"heard": {"one": [HEARD[1], HEARD[0], *HEARD[2:]]}}, {"I11"}),
    ],
)
def test_each_violation_is_found(changes, said):
    assert rules(replace(RIGHT, **changes)) == said


def test_what_is_done_twice_is_found():
    twice = replace(RIGHT, events=[*EVENTS, event(9, "rate", 2, "rated")], heard={})
    assert rules(twice) == {"I4"}


@pytest.mark.parametrize(
    ("kind", "sequence"),
    [
        ("started", 2),  # again, after it has ended
        ("completed", 1),
        ("assigned", 2),
        ("assigned", 4),
    ],
)
def test_an_event_that_may_not_follow_is_found(kind, sequence):
    events = [*EVENTS, event(9, "somebody", sequence, kind)]
    assert "I9" in rules(replace(RIGHT, events=events, heard={}))


def test_an_event_that_is_missing_is_found():
    assert rules(replace(RIGHT, events=without(2), heard={})) == {"I3"}
    assert "I9" in rules(replace(RIGHT, events=without(4), heard={}))


def test_two_active_assignments_at_once_are_found_though_one_has_ended_since():
    opened_first = [replace(EVENTS[3], id=3), replace(EVENTS[2], id=4)]
    assert rules(replace(RIGHT, events=[*EVENTS[:2], *opened_first, *EVENTS[4:]], heard={})) == {"I9"}
