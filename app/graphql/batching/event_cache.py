"""One execution of an event for all subscribers who asked for it in the same words."""

from __future__ import annotations

import asyncio
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

import orjson
from graphql import Executor
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from app.events import FeedItem
from app.execution.executor import BreadthFirstExecutor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from graphql import ExecutionResult


class EventResultCache:
    """Results of the last events. What has errors is not kept: the next to ask may have more luck."""

    def __init__(self, most: int = 500) -> None:
        self._most = most
        self._results: dict[Hashable, asyncio.Task[ExecutionResult]] = {}

    async def result(
        self, key: Hashable, execute: Callable[[], Awaitable[ExecutionResult]]
    ) -> ExecutionResult:
        task = self._results.get(key)
        if task is None:
            # A task of nobody's own: the subscriber who came first may leave before the others are served.
            task = self._results[key] = asyncio.create_task(self._executed(key, execute))
            if len(self._results) > self._most:
                del self._results[next(iter(self._results))]
        return await asyncio.shield(task)

    async def _executed(
        self, key: Hashable, execute: Callable[[], Awaitable[ExecutionResult]]
    ) -> ExecutionResult:
        result = await execute()
        if result.errors:
            self._results.pop(key, None)
        return result


class _Sharing(Executor[Any]):
    """What an event shows depends on the words, the variables, and whose tickets the reader may see."""

    def execute_operation(self, serially: bool | None = None) -> Any:  # noqa: ANN401, FBT001 - as graphql-core has it
        told = self.root_value
        if not isinstance(told, FeedItem):
            return super().execute_operation(serially)
        context = self.context_value
        document_key = orjson.dumps(context.document_key, option=orjson.OPT_SORT_KEYS)
        key = (told.event.id, str(told.cursor), document_key, context.visible_to)
        return context.event_cache.result(key, self._execute_for_all)

    async def _execute_for_all(self) -> ExecutionResult:
        """With loaders of its own: those of a subscriber end when the subscriber leaves."""
        self.context_value = context = self.context_value.copy()
        try:
            result = super().execute_operation(serially=False)
            return await result if isawaitable(result) else result  # type: ignore[return-value] # an event is one result
        finally:
            context.close()


class SharingExecutor(_Sharing, StrawberryGraphQLCoreExecutionContext):
    """Executes as graphql-core does."""


class CoalescingExecutor(_Sharing, BreadthFirstExecutor, StrawberryGraphQLCoreExecutionContext):
    """Executes by the plans of documents that are known."""

    native_leaves = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as graphql-core has it
        super().__init__(*args, **kwargs)
        name = self.operation.name
        self.plans = self.context_value.document.plans[name.value if name else None]
