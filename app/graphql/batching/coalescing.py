"""Queries that ask for the same in the same words, at the same moment, are executed as one.

They differ in their variables and in who asks. Each pays for itself, is let through by itself, and asks for
itself at its root; what comes below is told for all of them together.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from graphql import ExecutionResult

from app.execution.batch import execute_in_company
from app.graphql.batching.scheduler import Ways

if TYPE_CHECKING:
    from app.execution.executor import LevelExecutor
    from app.execution.plan import Selection
    from app.graphql.loaders import Loaders

MOST_POINTS = 1000
"""That a company may cost: the first of them is answered when all of them are."""


class Companies:
    """Of one server process."""

    def __init__(self) -> None:
        self._ways: Ways[_Company] = Ways()

    async def execute(self, executor: LevelExecutor, points: int, limit_s: float) -> ExecutionResult:
        """`points` are what the query costs. Raises TimeoutError where it takes longer than `limit_s`."""
        selection = executor.planned()
        if selection is None or selection.goes_alone or points > MOST_POINTS // 2:
            async with asyncio.timeout(limit_s):
                return await _alone(executor)
        context = executor.context_value
        # Whoever has the same role is let through by the same rules.
        role = context.signed_in and context.signed_in.role
        kind = (selection, role, context.confined_to, context.reads)
        company = self._ways.open(kind, lambda: _Company(selection, context.loaders))
        return await company.result(executor, points, limit_s)


def _give_up(result: asyncio.Future[ExecutionResult]) -> None:
    if not result.done():
        result.set_exception(TimeoutError)


async def _alone(executor: LevelExecutor) -> ExecutionResult:
    result: ExecutionResult = await executor.execute_operation()
    return result


class _Company:
    """Its loaders are those of the first, which all of them share."""

    def __init__(self, selection: Selection, loaders: Loaders) -> None:
        self._selection = selection
        self._loaders = loaders
        self._members: list[tuple[LevelExecutor, asyncio.Future[ExecutionResult]]] = []
        self._waiting = 0
        self._points = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        """Also where all have left: with the last of them, its loaders have ended."""
        return self._points >= MOST_POINTS or (not self._waiting and bool(self._members))

    async def result(self, executor: LevelExecutor, points: int, limit_s: float) -> ExecutionResult:
        context = executor.context_value
        if context.loaders is not self._loaders:
            context.loaders = self._loaders.shared()
        loop = asyncio.get_running_loop()
        result: asyncio.Future[ExecutionResult] = loop.create_future()
        self._members.append((executor, result))
        self._points += points
        self._waiting += 1
        # A fifth of what asyncio.timeout takes, which knows how to end more than a future.
        late = loop.call_later(limit_s, _give_up, result)
        try:
            return await result
        finally:
            late.cancel()
            self._waiting -= 1
            if not self._waiting and self._task is not None:
                self._task.cancel()

    def begin(self) -> asyncio.Task[None] | None:
        self._members = [(executor, result) for executor, result in self._members if not result.done()]
        if self._members:
            # Nobody's own: the operation that came first may end before the others are served.
            self._task = asyncio.create_task(self._run())
        return self._task

    async def _run(self) -> None:
        executors = [executor for executor, _ in self._members]
        executors[0].context_value.db.metrics.company_size.observe(len(executors))
        results: list[ExecutionResult | BaseException] = []
        if len(executors) > 1:
            data = await execute_in_company(executors, self._selection)
            results = [ExecutionResult(each, None) for each in data or ()]
        if not results:
            results = await asyncio.gather(*map(_alone, executors), return_exceptions=True)
        for (_, waiting), result in zip(self._members, results, strict=True):
            if waiting.done():
                continue
            if isinstance(result, BaseException):
                waiting.set_exception(result)
            else:
                waiting.set_result(result)
