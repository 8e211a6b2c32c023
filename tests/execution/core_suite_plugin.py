"""A pytest plugin that runs graphql-core's own tests with BreadthFirstExecutor in place of its executor.

Only test_core_suite.py loads it.
"""

import sys
from collections.abc import Coroutine, Generator, Iterable
from inspect import iscoroutine
from typing import Any

import graphql.execution  # noqa: F401 - loads its modules
import pytest
from graphql.execution.incremental import IncrementalExecutor

from app.execution import completion, plan
from app.execution.executor import BreadthFirstExecutor
from app.execution.waiting import await_all, is_awaitable_type

OMITTED = {
    "Several errors: ours are in the order of the response, theirs in the order in which they happen.": (
        "describe_nulls_a_complex_tree_of_nullable_fields_each::throws",
        "nullable_and_non_nullable_root_fields_throw_nested_errors",
        "slower_nullable_after_non_nullable_root_field",
        "nullable_and_non_nullable_nested_fields_throw_nested_errors",
        "slower_nullable_after_non_nullable_nested_field",
    ),
    "An error does not cancel its siblings: a layer is completed before the next one starts.": (
        "handles_sync_errors_combined_with_async_ones",
        "handles_sync_errors_combined_with_async_ones_in_async_context",
        "stops_late_sibling_object_completion_after_non_null_bubbling",
        "handles_sync_errors_with_later_pending_awaitables",
        "describe_cancel_on_exception::cancel_selection_sets",
        "describe_cancel_on_exception::cancel_lists",
        "describe_cancel_on_exception::cancel_async_iterators",
    ),
    "An iterator is read to its end before its items are completed.": (
        "drains_the_iterator_when_next_throws",
        "handles_iterator_errors_with_later_pending_awaitables",
        "calls_aclose_when_non_null_list_item_errors",
        "handles_mixture_of_sync_and_async_errors_in_async_iterables",
    ),
    "execute_sync without check_sync treats awaitables as values; a server does not need it.": (
        "describe_execute_sync::throws_if_encountering_async_operation_without_check_sync",
        "describe_graphql_sync::throws_if_encountering_async_operation_without_check_sync",
    ),
    "Expects Python's recursion limit; breadth-first execution does not recurse.": (
        "reports_a_too_deep_chain_inside_a_field_as_a_field_error",
    ),
}
"""The tests that graphql-core passes and we do not, by reason."""

_planned = 0


class _StartedCoroutine:
    """A coroutine that has run up to its first await, and continues when it is awaited."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], awaited: Any) -> None:
        self._coroutine = coroutine
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, Any]:
        awaited = self._awaited
        while True:
            try:
                sent = yield awaited
            except BaseException as error:  # noqa: BLE001 - the coroutine handles cancellation, too
                step, argument = self._coroutine.throw, error
            else:
                step, argument = self._coroutine.send, sent
            try:
                awaited = step(argument)
            except StopIteration as end:
                return end.value


class SyncWhenPossible(BreadthFirstExecutor, IncrementalExecutor):
    """Returns a result without an event loop when nothing has to be awaited, as graphql-core does."""

    has_awaited = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_async_iterable = self.is_async_iterable

        def record_async_iterable(value: Any) -> bool:
            SyncWhenPossible.has_awaited |= is_async_iterable(value)
            return is_async_iterable(value)

        self.is_async_iterable = record_async_iterable

    def execute_operation(self, serially: bool | None = None) -> Any:  # noqa: FBT001 - as in graphql-core
        global _planned  # noqa: PLW0603 - reported at the end of the session
        SyncWhenPossible.has_awaited = False
        result = super().execute_operation(serially)
        if not iscoroutine(result) or result.cr_code is not BreadthFirstExecutor.execute_plans.__code__:
            return result
        _planned += 1
        try:
            return _StartedCoroutine(result, result.send(None))
        except StopIteration as end:
            return _later(end.value) if SyncWhenPossible.has_awaited else end.value


async def _later(value: Any) -> Any:
    return value


async def _record_and_await(columns: Iterable[list[Any]]) -> None:
    columns = list(columns)
    SyncWhenPossible.has_awaited |= any(
        is_awaitable_type(type(value)) for column in columns for value in column
    )
    await await_all(columns)


plan.await_all = completion.await_all = _record_and_await
for name in ("IncrementalExecutor", "ExecutorThrowingOnIncremental"):
    setattr(sys.modules["graphql.execution.execute"], name, SyncWhenPossible)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    names = {name for names in OMITTED.values() for name in names}
    omitted = {item: name for item in items for name in names if item.nodeid.endswith(f"::{name}")}
    if missing := names - set(omitted.values()):
        raise pytest.UsageError(f"no such tests: {missing}")
    config.hook.pytest_deselected(items=list(omitted))
    items[:] = [item for item in items if item not in omitted]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"{_planned} operations were executed breadth first")
