"""A pytest plugin: graphql-core executes by levels unless a test brings an executor of its own.

Loaded by test_core_suite.py into a run of graphql-core's own tests, never into ours.
"""

from __future__ import annotations

import sys
from inspect import iscoroutine
from typing import TYPE_CHECKING, Any

import graphql.execution  # noqa: F401 - so that its modules are known by name
from graphql.execution.execute import assume_not_awaitable
from graphql.execution.incremental import IncrementalExecutor

from app.execution.executor import LevelExecutor

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator


class _Begun:
    """A coroutine that has run up to its first wait, and goes on when it is awaited."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, Any]:
        waits_for = self._waits_for
        while True:
            try:
                sent = yield waits_for
            except BaseException as error:  # noqa: BLE001 - a cancellation, too, is the coroutine's to hear
                step, given = self._coroutine.throw, error
            else:
                step, given = self._coroutine.send, sent
            try:
                waits_for = step(given)
            except StopIteration as end:
                return end.value


class AtOnce(LevelExecutor, IncrementalExecutor):
    """As graphql-core has it: what waits for nothing is answered at once, without a loop."""

    def execute_operation(self, serially: bool | None = None) -> Any:
        answer = super().execute_operation(serially)
        if not iscoroutine(answer):
            return answer
        COUNT[0] += 1
        try:
            return _Begun(answer, answer.send(None))
        except StopIteration as end:
            return end.value


COUNT = [0]


def pytest_sessionfinish():
    print("PLANNED", COUNT)


sys.modules["graphql.execution.execute"].IncrementalExecutor = AtOnce
