"""The checker finds each kind of violation, and none in a correct history."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.chaos.checker import AssignmentState, Event, History, Operation, Read, Row, violations


def operation(name, kind, started, ended, *result_sequences, hours="0"):
    refused = ended is not None and not result_sequences
    return Operation(name, kind, "T", started, ended, refused, result_sequences, Decimal(hours))


def event(number, by, sequence, kind):
    return Event(number, by, ("T", sequence, kind, datetime(2030, 1, 1, 0, number, tzinfo=UTC)))


def row(sequence, assigned_by, status, *done, minute=None, hours="0"):
    at = datetime(2030, 1, 1, 0, minute or sequence, tzinfo=UTC)
    return Row("T", sequence, AssignmentState(assigned_by, frozenset(done)), status, at, Decimal(hours))


def read(started, *assignments):
    return Read("T", started, tuple(AssignmentState(by, frozenset(done)) for by, *done in assignments))


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
RECEIVED = [each.key for each in EVENTS]
CORRECT = History(
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
    received={"one": RECEIVED, "other": RECEIVED},
    shown_hours={"T": Decimal("1.25")},
)


def rules(history):
    return {sentence.split()[0] for sentence in violations(history)}


def test_a_correct_history_has_no_violation():
    assert violations(CORRECT) == []
    without_response = replace(
        CORRECT,
        rows=[*CORRECT.rows, row(3, "never answered", "assigned")],
        events=[*EVENTS, event(9, "never answered", 3, "assigned")],
        received={},
    )
    assert violations(without_response) == []


def test_hours_that_were_without_response_count():
    sent = [
        replace(o, ended=None, result_sequences=(), refused=False) if o.kind == "complete" else o
        for o in CORRECT.operations
    ]
    assert violations(replace(CORRECT, operations=sent)) == []


def with_row(number, **changes):
    return [replace(r, **changes) if r.sequence == number else r for r in CORRECT.rows]


def with_operation(name, **changes):
    return [replace(o, **changes) if o.id == name else o for o in CORRECT.operations]


def without(number):
    return [e for e in EVENTS if e.id != number]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"rows": with_row(2, sequence=3)}, {"I1", "I9"}),
        ({"rows": [*CORRECT.rows, CORRECT.rows[1]]}, {"I1", "I10"}),
        ({"rows": with_row(1, status="accepted")}, {"I2", "I9"}),
        ({"rows": [], "events": [], "received": {}, "reads": [], "shown_hours": {}}, {"I3", "I10"}),
        ({"operations": with_operation("start", result_sequences=(1,))}, {"I3", "I8"}),
        ({"operations": with_operation("start", result_sequences=(2, 1))}, {"I3"}),
        ({"operations": with_operation("too late", id="complete", kind="complete")}, {"I5"}),
        ({"rows": with_row(2, assigned_at=datetime(2029, 1, 1, tzinfo=UTC))}, {"I7"}),
        ({"operations": with_operation("reassign", started=5.5, ended=5.7)}, {"I6"}),
        ({"reads": [read(0.5, ("reassign",))]}, {"I8"}),
        ({"reads": [read(0.5, ("assign",), ("reassign",), ("never answered",))]}, {"I8"}),
        ({"reads": [read(1.5)]}, {"I8"}),
        ({"reads": [read(2.1, ("assign",))]}, {"I8"}),
        ({"reads": [read(4.1, ("assign", "accepted", "ended"), ("reassign",))]}, {"I8"}),
        ({"reads": [read(0.1, ("assign", "rated"))]}, {"I8"}),
        (
            {"rows": with_row(1, state=AssignmentState("too late", frozenset({"accepted", "ended"})))},
            {"I8", "I9"},
        ),
        ({"rows": with_row(2, status="completed")}, {"I9"}),
        ({"rows": with_row(2, hours=Decimal("2.5"))}, {"I10"}),
        ({"shown_hours": {"T": Decimal(0)}}, {"I10"}),
        ({"operations": with_operation("complete", hours=Decimal(1))}, {"I10"}),
        ({"received": {"one": RECEIVED[:-1]}}, {"I11"}),
        ({"received": {"one": [*RECEIVED, RECEIVED[-1]]}}, {"I11"}),
        ({"received": {"one": [RECEIVED[1], RECEIVED[0], *RECEIVED[2:]]}}, {"I11"}),
    ],
)
def test_each_violation_is_found(changes, expected):
    assert rules(replace(CORRECT, **changes)) == expected


def test_a_duplicate_is_found():
    twice = replace(CORRECT, events=[*EVENTS, event(9, "rate", 2, "rated")], received={})
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
def test_a_transition_that_is_not_allowed_is_found(kind, sequence):
    events = [*EVENTS, event(9, "somebody", sequence, kind)]
    assert "I9" in rules(replace(CORRECT, events=events, received={}))


def test_a_missing_event_is_found():
    assert rules(replace(CORRECT, events=without(2), received={})) == {"I3"}
    assert "I9" in rules(replace(CORRECT, events=without(4), received={}))


def test_two_active_assignments_at_once_are_found_later():
    opened_first = [replace(EVENTS[3], id=3), replace(EVENTS[2], id=4)]
    assert rules(replace(CORRECT, events=[*EVENTS[:2], *opened_first, *EVENTS[4:]], received={})) == {"I9"}
