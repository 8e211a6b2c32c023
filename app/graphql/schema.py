"""The schema: roots, limits, and what becomes of errors."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import strawberry
from graphql import ExecutionResult as GraphQLResult
from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from app.graphql.documents import TrustedDocuments
from app.graphql.fan_out import SharingExecutor
from app.graphql.faults import TimedOut, shown
from app.graphql.guard import Guard
from app.graphql.limits import Limits
from app.graphql.mutation import Mutation
from app.graphql.query import Query
from app.graphql.subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from strawberry.extensions.runner import SchemaExtensionsRunner
    from strawberry.schema._graphql_core import ResultType
    from strawberry.types import ExecutionContext
    from strawberry.types.execution import ExecutionResult

    from app.graphql.context import Context
    from app.graphql.observation import Observation


class Schema(strawberry.Schema):
    """What is refused is refused here, not in an extension: what a hook raises is lost on some transports."""

    def __init__(self, limits: Limits, *, production: bool, documents: TrustedDocuments) -> None:
        super().__init__(
            query=Query,
            mutation=Mutation,
            subscription=Subscription,
            extensions=[_Steps],
            execution_context_class=SharingExecutor,
        )
        self._limits = limits
        self._production = production
        self.guard = Guard(self._schema, limits, production=production, documents=documents)

    async def execute(self, *args: Any, **kwargs: Any) -> ExecutionResult:  # noqa: ANN401
        result = await super().execute(*args, **kwargs)
        context = kwargs["context_value"]
        observation = context.observation
        self._show(result, observation)
        _tell_position(result, context.position)
        observation.end()
        return result

    async def stream(self, *args: Any, **kwargs: Any) -> AsyncGenerator[ExecutionResult, None]:  # noqa: ANN401
        results = await super().stream(*args, **kwargs)
        return self._shown(results, kwargs["context_value"])

    async def _shown(
        self, results: AsyncGenerator[Any, None], context: Context
    ) -> AsyncGenerator[ExecutionResult, None]:
        observation = context.observation
        try:
            async with aclosing(results):
                async for result in results:
                    self._show(result, observation)
                    _tell_position(result, context.position or context.feed.position)
                    yield result
                    if result.data is None:
                        # An event that cannot be told whole must not be passed over: the client asks again.
                        return
        finally:
            observation.end()

    def _show(self, result: ExecutionResult, observation: Observation) -> None:
        if result.errors is not None:
            result.errors = shown(result.errors, most=self._limits.errors, suggest=not self._production)
            observation.saw(result.errors)

    async def _prepare_operation_async(
        self, context: ExecutionContext, extensions_runner: SchemaExtensionsRunner
    ) -> PreExecutionError | None:
        try:
            self.guard.admit(context)
        except GraphQLError as refused:
            context.pre_execution_errors = [refused]
            return PreExecutionError(data=None, errors=[refused])
        return await super()._prepare_operation_async(context, extensions_runner)

    async def _execute_operation(
        self,
        execution_context: ExecutionContext,
        *args: Any,  # noqa: ANN401
    ) -> ResultType:
        if execution_context.operation_type is not OperationType.QUERY:
            # A mutation that is cut short may have happened or not, and nobody could tell.
            return await super()._execute_operation(execution_context, *args)
        try:
            async with asyncio.timeout(self._limits.read_timeout_s):
                return await super()._execute_operation(execution_context, *args)
        except TimeoutError:
            return GraphQLResult(data=None, errors=[TimedOut(self._limits.read_timeout_s)])

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Nothing: a fault is logged once, where it is masked; a client's error is the client's."""


def _tell_position(result: ExecutionResult, position: int | None) -> None:
    """As text: it is larger than the whole numbers of JavaScript may be."""
    if position is not None:
        result.extensions = {**(result.extensions or {}), "position": str(position)}


class _Steps(SchemaExtension):
    def on_validate(self) -> Iterator[None]:
        operation = self.execution_context
        schema, document = operation.schema, operation.graphql_document
        if isinstance(schema, Schema) and document is not None:
            operation.pre_execution_errors = schema.guard.validate(document, operation.context.signed_in)
        yield

    def on_operation(self) -> Iterator[None]:
        """Around all of it, every event of a subscription included; left when it is cut short, too."""
        try:
            yield
        finally:
            self.execution_context.context.end()


def build_schema(limits: Limits, *, production: bool, documents: TrustedDocuments | None = None) -> Schema:
    """With a memory of its own of what each subject has spent. In production it does not tell of itself."""
    return Schema(limits, production=production, documents=documents or TrustedDocuments())


schema = build_schema(Limits(), production=False)


def sdl() -> str:
    """The contract with clients, as schema.graphql holds it."""
    return schema.as_str() + "\n"
