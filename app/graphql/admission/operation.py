"""A GraphQL request and its operation, the same for every transport."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLError, OperationDefinitionNode, OperationType

from app.graphql.admission.document_cache import CachedDocument
from app.graphql.context import Context


@dataclass(frozen=True, slots=True)
class OperationRequest:
    """An operation as the client sent it."""

    query: str | None
    """None if `extensions` name a trusted document."""
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Operation:
    """An operation in progress. OperationPolicy.admit sets all but the first two."""

    request: OperationRequest
    context: Context
    document: CachedDocument | None = None
    definition: OperationDefinitionNode | None = None
    cost: int = 0
    """In points."""
    response_extensions: dict[str, Any] = field(default_factory=dict)
    errors: list[GraphQLError] | None = None
    """Why the operation was not admitted."""

    @property
    def type(self) -> OperationType | None:
        """None if the operation was not admitted."""
        return None if self.definition is None else self.definition.operation
