"""A pytest plugin for graphql-core's own tests: where one brings no executor, it is executed by levels.

test_core_suite.py loads it into a run of those tests, never into one of ours.
"""

from __future__ import annotations

import sys
from inspect import iscoroutine
from typing import TYPE_CHECKING, Any

import graphql.execution  # noqa: F401 - so that its modules are known by name
import pytest
from graphql.execution.incremental import IncrementalExecutor

from app.execution import completion, run
from app.execution.executor import BreadthFirstExecutor
from app.execution.waiting import await_all, awaited_kinds

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator, Iterable

LEFT_OUT = {
    "Of several errors, which comes first, or is told of a null: ours follow the answer, theirs the clock.": (
        "describe_nulls_a_complex_tree_of_nullable_fields_each::throws",
        "nullable_and_non_nullable_root_fields_throw_nested_errors",
        "slower_nullable_after_non_nullable_root_field",
        "nullable_and_non_nullable_nested_fields_throw_nested_errors",
        "slower_nullable_after_non_nullable_nested_field",
    ),
    "What an error makes null is not cut short: its siblings are done before the next level begins.": (
        "handles_sync_errors_combined_with_async_ones",
        "handles_sync_errors_combined_with_async_ones_in_async_context",
        "stops_late_sibling_object_completion_after_non_null_bubbling",
        "handles_sync_errors_with_later_pending_awaitables",
        "describe_cancel_on_exception::cancel_selection_sets",
        "describe_cancel_on_exception::cancel_lists",
        "describe_cancel_on_exception::cancel_async_iterators",
    ),
    "An iterator is read to its end before its items are told.": (
        "drains_the_iterator_when_next_throws",
        "handles_iterator_errors_with_later_pending_awaitables",
        "calls_aclose_when_non_null_list_item_errors",
        "handles_mixture_of_sync_and_async_errors_in_async_iterables",
    ),
    "execute_sync without check_sync takes awaitables for values; a server has no use for it.": (
        "describe_execute_sync::throws_if_encountering_async_operation_without_check_sync",
        "describe_graphql_sync::throws_if_encountering_async_operation_without_check_sync",
    ),
    "It expects the limit of Python's stack, which levels do not use.": (
        "reports_a_too_deep_chain_inside_a_field_as_a_field_error",
    ),
}
"""By the reason why, the tests that graphql-core passes and we do not."""

_planned = 0


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


class AtOnce(BreadthFirstExecutor, IncrementalExecutor):
    """As graphql-core does: where nothing has to be awaited, there is an answer without a loop."""

    waited = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_async_iterable = self.is_async_iterable

        def noticed(value: Any) -> bool:
            AtOnce.waited |= is_async_iterable(value)
            return is_async_iterable(value)

        self.is_async_iterable = noticed

    def execute_operation(self, serially: bool | None = None) -> Any:  # noqa: FBT001 - as graphql-core has it
        global _planned  # noqa: PLW0603 - told at the end of the session
        AtOnce.waited = False
        answer = super().execute_operation(serially)
        if not iscoroutine(answer) or answer.cr_code is not BreadthFirstExecutor._execute.__code__:
            return answer
        _planned += 1
        try:
            return _Begun(answer, answer.send(None))
        except StopIteration as end:
            return _later(end.value) if AtOnce.waited else end.value


async def _later(value: Any) -> Any:
    return value


async def _noticed(columns: Iterable[list[Any]]) -> None:
    columns = list(columns)
    AtOnce.waited |= any(map(awaited_kinds, columns))
    await await_all(columns)


run.await_all = completion.await_all = _noticed
for name in ("IncrementalExecutor", "ExecutorThrowingOnIncremental"):
    setattr(sys.modules["graphql.execution.execute"], name, AtOnce)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    names = {name for names in LEFT_OUT.values() for name in names}
    left_out = {item: name for item in items for name in names if item.nodeid.endswith(f"::{name}")}
    if missing := names - set(left_out.values()):
        raise pytest.UsageError(f"there are no such tests any more: {missing}")
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"{_planned} operations were executed by levels")
