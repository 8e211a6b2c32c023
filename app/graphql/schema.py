"""The schema: roots, limits, and what becomes of errors."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar, cast

import strawberry
from graphql import ExecutionResult as GraphQLResult
from graphql import GraphQLError
from graphql import OperationType as CoreOperationType
from strawberry.exceptions import MissingQueryError
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from app.execution.executor import BreadthFirstExecutor, ExecutorTemplate
from app.graphql.admission.limits import Limits
from app.graphql.admission.policy import OperationPolicy, OperationRequest
from app.graphql.admission.trusted_documents import TrustedDocuments
from app.graphql.batching.coalescing import QueryCoalescer
from app.graphql.batching.event_cache import CoalescingExecutor, SharingExecutor
from app.graphql.errors import TimedOut, mask_errors
from app.graphql.mutation import Mutation
from app.graphql.query import Query
from app.graphql.subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Collection, Iterator

    from strawberry.extensions.runner import SchemaExtensionsRunner
    from strawberry.schema._graphql_core import ResultType
    from strawberry.types import ExecutionContext

    from app.graphql.admission.document_cache import CachedDocument
    from app.graphql.context import Context
    from app.graphql.observation import Observation

T = TypeVar("T")

_KINDS = {kind: OperationType(kind.value) for kind in CoreOperationType}


class Schema(strawberry.Schema):
    """What is refused is refused here, not in an extension: what a hook raises is lost on some transports."""

    def __init__(
        self, limits: Limits, *, production: bool, documents: TrustedDocuments, compiled: bool
    ) -> None:
        super().__init__(
            query=Query,
            mutation=Mutation,
            subscription=Subscription,
            extensions=[_Steps],
            execution_context_class=CoalescingExecutor if compiled else SharingExecutor,
        )
        self._compiled = compiled
        self._limits = limits
        self._companies = QueryCoalescer()
        self._production = production
        self.policy = OperationPolicy(self._schema, limits, production=production, documents=documents)

    async def execute(self, *args: Any, **kwargs: Any) -> ExecutionResult:  # noqa: ANN401
        execute = self._execute_planned if self._compiled else super().execute
        result = await execute(*args, **kwargs)
        context = kwargs["context_value"]
        observation = context.observation
        self._show(result, observation)
        _tell_position(result, context.position)
        observation.close()
        return result

    async def _execute_planned(
        self,
        query: str | None,
        *,
        context_value: Context,
        allowed_operation_types: Collection[OperationType],
        variable_values: dict[str, Any] | None = None,
        operation_name: str | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """As Strawberry, without what only extensions need: ours do what is done here, in the same order."""
        asked = OperationRequest(query, variable_values, operation_name, operation_extensions, context_value)
        try:
            result = await self._planned_result(asked, allowed_operation_types)
        except (MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError):
            raise
        except GraphQLError as error:
            result = GraphQLResult(None, [error])
        except Exception as error:  # noqa: BLE001 - masked, and logged, where it is shown
            result = GraphQLResult(None, [GraphQLError(str(error), original_error=error)])
        finally:
            context_value.close()
        return ExecutionResult(result.data, result.errors, asked.extensions_results)

    async def _planned_result(
        self, asked: OperationRequest, allowed: Collection[OperationType]
    ) -> GraphQLResult:
        """Raises GraphQLError for what is not admitted, and what Strawberry raises for no operation."""
        document = self.policy.prepare(asked)
        if document is None:
            raise MissingQueryError
        runs = document.select_operation(asked.operation_name)
        if runs is None:
            raise CannotGetOperationTypeError(asked.operation_name)
        kind = _KINDS[runs.operation]
        if kind not in allowed:
            raise InvalidOperationTypeError(kind)
        if validation_errors := self.policy.validate(document, asked.context.signed_in):
            return GraphQLResult(None, validation_errors)
        executor = self._executor(document, asked)
        if isinstance(executor, list):
            return GraphQLResult(None, executor)
        if kind is OperationType.QUERY:
            try:
                limit_s = self._limits.read_timeout_s
                return await self._companies.execute(executor, asked.cost, limit_s)
            except TimeoutError:
                return self._late()
        result: GraphQLResult = await executor.execute_operation()
        return result

    def _executor(
        self, document: CachedDocument, asked: OperationRequest
    ) -> BreadthFirstExecutor | list[GraphQLError]:
        """Errors of the variables take its place."""
        name, variables, extensions = asked.operation_name, asked.variables, asked.operation_extensions
        if executor_templates := document.executor_templates.get(name):
            return executor_templates.executor(asked.context, variables, operation_extensions=extensions)
        built = CoalescingExecutor.build(
            self._schema,
            document.document,
            None,
            asked.context,
            variables,
            name,
            operation_extensions=extensions,
        )
        if isinstance(built, BreadthFirstExecutor):
            document.executor_templates[name] = ExecutorTemplate(built)
        return cast("BreadthFirstExecutor | list[GraphQLError]", built)

    async def _in_time(self, kind: OperationType, result: Awaitable[T]) -> T | GraphQLResult:
        if kind is not OperationType.QUERY:
            # A mutation that is cut short may have happened or not, and nobody could tell.
            return await result
        try:
            async with asyncio.timeout(self._limits.read_timeout_s):
                return await result
        except TimeoutError:
            return self._late()

    def _late(self) -> GraphQLResult:
        return GraphQLResult(data=None, errors=[TimedOut(self._limits.read_timeout_s)])

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
            observation.close()

    def _show(self, result: ExecutionResult, observation: Observation) -> None:
        if result.errors is not None:
            result.errors = mask_errors(result.errors, most=self._limits.errors, suggest=not self._production)
            observation.record_errors(result.errors)

    async def _prepare_operation_async(
        self, context: ExecutionContext, extensions_runner: SchemaExtensionsRunner
    ) -> PreExecutionError | None:
        try:
            self.policy.prepare(context)
        except GraphQLError as refused:
            context.pre_execution_errors = [refused]
            return PreExecutionError(data=None, errors=[refused])
        return await super()._prepare_operation_async(context, extensions_runner)

    async def _execute_operation(
        self,
        execution_context: ExecutionContext,
        *args: Any,  # noqa: ANN401
    ) -> ResultType:
        return await self._in_time(
            execution_context.operation_type, super()._execute_operation(execution_context, *args)
        )

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
            operation.pre_execution_errors = schema.policy.validate(
                operation.context.document, operation.context.signed_in
            )
        yield

    def on_operation(self) -> Iterator[None]:
        """Around all of it, every event of a subscription included; left when it is cut short, too."""
        try:
            yield
        finally:
            self.execution_context.context.close()


def build_schema(
    limits: Limits, *, production: bool, documents: TrustedDocuments | None = None, compiled: bool = True
) -> Schema:
    """With a memory of its own of what each subject has spent. In production it does not tell of itself.

    What is not `compiled` is executed by graphql-core.
    """
    return Schema(limits, production=production, documents=documents or TrustedDocuments(), compiled=compiled)


schema = build_schema(Limits(), production=False)


def sdl() -> str:
    """The contract with clients, as schema.graphql holds it."""
    return schema.as_str() + "\n"
