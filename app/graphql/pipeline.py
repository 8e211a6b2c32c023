"""Runs operations, for every transport in the same steps: admit, validate, execute, mask errors, record."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

import orjson
from graphql import (
    ExecutionResult,
    Executor,
    GraphQLError,
    OperationType,
    create_source_event_stream,
    map_source_to_response_event,
)
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from app.execution.encoding import encode_long_lists
from app.execution.executor import BreadthFirstExecutor, ExecutorTemplate
from app.graphql.admission.operation import Operation
from app.graphql.admission.policy import OperationPolicy
from app.graphql.admission.trusted_documents import TrustedDocuments
from app.graphql.batching.coalescing import EventResultCache, QueryCoalescer, execute_isolated
from app.graphql.errors import TimedOut, mask_errors
from app.graphql.schema import build_schema

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from app.graphql.admission.limits import Limits
    from app.graphql.admission.operation import OperationRequest
    from app.graphql.context import Context


_LONG_RESPONSE = 10_000
"""Values of a response that are not encoded as a whole."""


class CompiledExecutor(BreadthFirstExecutor, StrawberryGraphQLCoreExecutionContext):
    """Executes by plans, which are made once per operation."""

    native_leaves = True


class OperationPipeline:
    """One per server process. In production it hides the schema from clients that may not explore it.

    Without `compiled`, graphql-core executes the operations.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        production: bool,
        documents: TrustedDocuments | None = None,
        compiled: bool = True,
    ) -> None:
        self._limits = limits
        self._production = production
        self._schema = build_schema()._schema  # noqa: SLF001 - Strawberry has no other way to graphql-core's
        self._executor_class = CompiledExecutor if compiled else StrawberryGraphQLCoreExecutionContext
        self._policy = OperationPolicy(
            self._schema, limits, production=production, documents=documents or TrustedDocuments()
        )
        self._coalescer = QueryCoalescer()
        self._event_results = EventResultCache()

    @property
    def cached_bytes(self) -> int:
        """The memory that cached documents and their plans take, approximately."""
        return self._policy.cached_bytes

    def admit(self, request: OperationRequest, context: Context) -> Operation:
        """Parse, select, measure and charge the operation.

        The operation keeps the errors for `execute` and `stream`: one of them is called unless the transport
        rejects the type of the operation.
        """
        operation = Operation(request, context)
        try:
            self._policy.admit(operation)
        except Exception as error:  # noqa: BLE001 - masked and logged by _finish
            operation.errors = [_to_graphql_error(error)]
        return operation

    async def execute(self, operation: Operation) -> ExecutionResult:
        """Return the result of a query or mutation."""
        context = operation.context
        try:
            result = await self._execute(operation)
        finally:
            context.close()
        result = self._finish(operation, result, context.position)
        context.observation.close()
        return result

    async def stream(self, operation: Operation) -> AsyncGenerator[ExecutionResult, None]:
        """Yield the result of a query or mutation, or a result per event of a subscription."""
        context = operation.context
        try:
            async with aclosing(self._results(operation)) as results:
                async for result in results:
                    yield self._finish(operation, result, context.position or context.feed.position)
                    if result.data is None:
                        # A later event would move the client's cursor past the one that it did not get.
                        return
        finally:
            context.close()
            context.observation.close()

    async def _results(self, operation: Operation) -> AsyncGenerator[ExecutionResult, None]:
        if operation.type is not OperationType.SUBSCRIPTION:
            yield await self._execute(operation)
            return
        executor = await self._executor(operation)
        if isinstance(executor, list):
            yield ExecutionResult(None, executor)
            return
        try:
            source = create_source_event_stream(executor)
            if isawaitable(source):
                source = await source
            if isinstance(source, ExecutionResult):
                yield source
                return
            execute_event = partial(self._execute_event, operation, _request_key(operation))
            async with aclosing(map_source_to_response_event(executor, source, execute_event)) as results:
                async for result in results:
                    yield result
        except Exception as error:  # noqa: BLE001 - as above
            yield ExecutionResult(None, [_to_graphql_error(error)])

    async def _execute_event(
        self, operation: Operation, request_key: bytes, executor: Executor[Any]
    ) -> ExecutionResult:
        await self._policy.pay_for_event(operation)
        return await self._event_results.execute(request_key, executor)

    async def _execute(self, operation: Operation) -> ExecutionResult:
        executor = await self._executor(operation)
        if isinstance(executor, list):
            return ExecutionResult(None, executor)
        timeout_s = self._limits.read_timeout_s
        try:
            if operation.type is OperationType.MUTATION:
                # Without a timeout: nobody could tell whether a mutation that is cut off has been committed.
                return await execute_isolated(executor)
            try:
                result = await self._coalescer.execute(executor, operation.cost, timeout_s)
            except TimeoutError:
                return ExecutionResult(None, [TimedOut(timeout_s)])
            if isinstance(executor, CompiledExecutor) and executor.values > _LONG_RESPONSE:
                await encode_long_lists(result.data)
        except Exception as error:  # noqa: BLE001 - as above
            return ExecutionResult(None, [_to_graphql_error(error)])
        return result

    async def _executor(self, operation: Operation) -> Executor[Any] | list[GraphQLError]:
        """Validate the operation and build its executor. Returns the errors of the request if it has any."""
        if operation.errors is not None:
            return operation.errors
        try:
            return await self._policy.validate(operation) or self._build_executor(operation)
        except Exception as error:  # noqa: BLE001 - as above
            return [_to_graphql_error(error)]

    def _build_executor(self, operation: Operation) -> Executor[Any] | list[GraphQLError]:
        request, document = operation.request, operation.document
        assert document is not None  # noqa: S101 - the operation was admitted
        growth = {
            "max_values": operation.cost,
            "on_growth": partial(self._policy.count_values, operation),
        }
        if template := document.executor_templates.get(request.operation_name):
            return template.executor(
                operation.context, request.variables, operation_extensions=request.extensions, **growth
            )
        executor = self._executor_class.build(
            self._schema,
            document.document,
            None,
            operation.context,
            request.variables,
            request.operation_name,
            operation_extensions=request.extensions,
        )
        if isinstance(executor, CompiledExecutor):
            executor.plans.on_growth = partial(self._policy.count_planned_fields, document)
            document.executor_templates[request.operation_name] = ExecutorTemplate(executor)
            vars(executor).update(growth)
        return executor

    def _finish(self, operation: Operation, result: ExecutionResult, position: int | None) -> ExecutionResult:
        """Mask and record the errors. Returns a new result: that of an event is shared by its subscribers."""
        errors = result.errors
        if errors is not None:
            errors = mask_errors(
                errors,
                max_errors=self._limits.errors,
                has_suggestions=not self._production,
                hide_names=self._policy.name_hider(operation),
            )
            operation.context.observation.record_errors(errors)
        extensions = operation.response_extensions
        if position is not None:
            # A string: it may be larger than the integers of JavaScript.
            extensions = {**extensions, "position": str(position)}
        if operation.context.replayed:
            # Beside the data: caches store data under its id, where it would stay.
            extensions = {**extensions, "replayed": operation.context.replayed}
        return ExecutionResult(result.data, errors, extensions)


def _request_key(operation: Operation) -> bytes:
    """Return a key that is equal for requests with the same text, operation name and variables."""
    request, document = operation.request, operation.document
    assert document is not None  # noqa: S101 - the operation was admitted
    return orjson.dumps(
        (document.text, request.operation_name, request.variables), option=orjson.OPT_SORT_KEYS
    )


def _to_graphql_error(error: Exception) -> GraphQLError:
    return error if isinstance(error, GraphQLError) else GraphQLError(str(error), original_error=error)
