"""Executes an event once for all subscriptions with the same request and visibility."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from cachetools import FIFOCache

from app.graphql.batching.coalescing import execute_isolated

if TYPE_CHECKING:
    from collections.abc import Hashable

    from graphql import ExecutionResult, Executor

MAX_RESULTS = 500


class EventResultCache:
    """Results of the latest events. One with errors is not kept: the next subscription tries again."""

    def __init__(self) -> None:
        self._tasks: FIFOCache[Hashable, asyncio.Task[ExecutionResult]] = FIFOCache(MAX_RESULTS)

    async def execute(self, request_key: bytes, executor: Executor[Any]) -> ExecutionResult:
        """Execute an event, the executor's root value, or return the result of an equal execution."""
        item, context = executor.root_value, executor.context_value
        key = (item.event.id, str(item.cursor), request_key, context.visible_to)
        task = self._tasks.get(key)
        if task is None:
            # Runs in its own task: the first subscriber may leave before the others are answered.
            task = self._tasks[key] = asyncio.create_task(self._execute(key, executor))
        return await asyncio.shield(task)

    async def _execute(self, key: Hashable, executor: Executor[Any]) -> ExecutionResult:
        # With its own loaders: those of a subscription are closed when the subscriber leaves.
        executor.context_value = context = executor.context_value.copy()
        result: ExecutionResult | None = None
        try:
            result = await execute_isolated(executor)
            return result
        finally:
            context.close()
            if result is None or result.errors:
                self._tasks.pop(key, None)
