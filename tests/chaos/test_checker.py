"""The checker finds each kind of wrong history, and nothing in a right one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.chaos.checker import Operation, Read, Row, violations


def opened(sequence, by, *, ended_by=None, active=False, minute=None):
    return Row("T", sequence, by, ended_by, active, datetime(2030, 1, 1, 0, minute or sequence, tzinfo=UTC))


A = Operation("a", "T", opens=True, began=0, ended=1, refused=False, answers=(1,))
B = Operation("b", "T", opens=True, began=2, ended=3, refused=False, answers=(2, 2))
C = Operation("c", "T", opens=True, began=2, ended=4, refused=True, answers=())
D = Operation("d", "T", opens=False, began=4, ended=5, refused=False, answers=(2,))
NEVER = Operation("never answered", "T", opens=True, began=6, ended=None, refused=False, answers=())
ROWS = [opened(1, "a", ended_by="b"), opened(2, "b", ended_by="d")]
READS = [Read("T", 0.5, ()), Read("T", 0.6, ("a",)), Read("T", 3.5, ("a", "b"))]


def test_a_history_as_promised_has_no_violation():
    assert violations([A, B, C, D, NEVER], READS, ROWS) == []
    assert violations([A, B, D, NEVER], READS, [*ROWS, opened(3, "never answered", active=True)]) == []


@pytest.mark.parametrize(
    ("operations", "reads", "rows", "said"),
    [
        ([A], [], [opened(1, "a"), opened(3, "x")], "I1"),
        ([A], [], [opened(1, "a"), opened(1, "x")], "I1"),
        ([], [], [opened(1, "a", active=True), opened(2, "b", active=True)], "I2"),
        ([A], [], [], "I3"),
        ([replace(A, answers=(1, 2))], [], [opened(1, "a")], "I3"),
        ([D], [], [opened(1, "a"), opened(2, "b")], "I3"),
        ([NEVER], [], [opened(1, "never answered"), opened(2, "never answered")], "I4"),
        ([C], [], [opened(1, "c")], "I5"),
        ([replace(A, answers=(2,)), replace(B, answers=(1,))], [], [opened(1, "b"), opened(2, "a")], "I6"),
        ([], [], [opened(1, "a", minute=5), opened(2, "b", minute=4)], "I7"),
        ([], [Read("T", 0, ("b",))], [opened(1, "a"), opened(2, "b")], "I8"),
        ([A], [Read("T", 1.5, ())], [opened(1, "a")], "I8"),
    ],
)
def test_each_violation_is_found(operations, reads, rows, said):
    assert {sentence.split()[0] for sentence in violations(operations, reads, rows)} == {said}
