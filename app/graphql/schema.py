"""The schema: roots, and what becomes of errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import strawberry
from graphql import DocumentNode, GraphQLError, OperationDefinitionNode
from strawberry.extensions import SchemaExtension

from app.graphql.faults import shown
from app.graphql.mutation import Mutation
from app.graphql.query import Query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strawberry.types import ExecutionContext
    from strawberry.types.execution import ExecutionResult, PreExecutionError


class Schema(strawberry.Schema):
    async def execute(self, *args: Any, **kwargs: Any) -> ExecutionResult | PreExecutionError:  # noqa: ANN401
        result = await super().execute(*args, **kwargs)
        result.errors = None if result.errors is None else shown(result.errors)
        return result

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Nothing: a fault is logged once, where it is masked; a client's error is the client's."""


class _OneOperation(SchemaExtension):
    """Refuses to guess: without a name, a document has one operation."""

    def on_validate(self) -> Iterator[None]:
        context = self.execution_context
        # Once asked by its public name, Strawberry has already chosen the first.
        unnamed = context._provided_operation_name is None  # noqa: SLF001
        if unnamed and context.graphql_document is not None and _operations(context.graphql_document) > 1:
            context.pre_execution_errors = [
                GraphQLError("The document has several operations; say which by operationName.")
            ]
        yield


def _operations(document: DocumentNode) -> int:
    return sum(isinstance(definition, OperationDefinitionNode) for definition in document.definitions)


class _Begin(SchemaExtension):
    def on_execute(self) -> Iterator[None]:
        document = self.execution_context.graphql_document
        if document is not None:
            self.execution_context.context.begin(document)
        yield


schema = Schema(query=Query, mutation=Mutation, extensions=[_OneOperation, _Begin])


def sdl() -> str:
    """The contract with clients, as schema.graphql holds it."""
    return schema.as_str() + "\n"
