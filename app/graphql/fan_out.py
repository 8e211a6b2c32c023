"""One execution of an event for all subscribers who asked for it in the same words."""

from __future__ import annotations

import asyncio
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from app.feed import Told

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from graphql import ExecutionResult


class Shared:
    """Results of the last events. What has errors is not kept: the next to ask may have more luck."""

    def __init__(self, most: int = 500) -> None:
        self._most = most
        self._results: dict[Hashable, asyncio.Task[ExecutionResult]] = {}

    async def result(self, key: Hashable, execute: Callable[[], Any]) -> ExecutionResult:
        task = self._results.get(key)
        if task is None:
            # A task of nobody's own: the subscriber who came first may leave before the others are served.
            task = self._results[key] = asyncio.create_task(self._executed(key, execute))
            if len(self._results) > self._most:
                del self._results[next(iter(self._results))]
        return await asyncio.shield(task)

    async def _executed(self, key: Hashable, execute: Callable[[], Any]) -> ExecutionResult:
        result = execute()
        if isawaitable(result):
            result = await result
        if result.errors:
            self._results.pop(key, None)
        return result  # type: ignore[no-any-return] # graphql-core says more than it does


class SharingExecutor(StrawberryGraphQLCoreExecutionContext):
    """What an event shows depends on the words, the variables, and whose tickets the reader may see."""

    def execute_operation(self, serially: bool | None = None) -> Any:  # noqa: ANN401, FBT001 - as graphql-core has it
        execute = super().execute_operation
        told = self.root_value
        if not isinstance(told, Told):
            return execute(serially)
        key = (told.event.id, str(told.cursor), *self.context_value.words, self.context_value.confined_to)
        return self.context_value.shared.result(key, lambda: execute(serially))
