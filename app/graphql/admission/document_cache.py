"""Parsed documents with what was derived from their text, so that a repeated document is analysed once."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

from cachetools import LRUCache
from graphql import DocumentNode, GraphQLError, OperationDefinitionNode

from app.execution.executor import ExecutorTemplate

MAX_DOCUMENTS = 500
MAX_CHARACTERS = 200_000
"""Of all cached documents. Each character takes some 70 bytes, and as much again per plan."""
_MAX_COSTS = 64


class OperationCost(NamedTuple):
    """The cost of one operation with certain page sizes."""

    points: int
    root_fields: int


@dataclass(slots=True, eq=False)
class CachedDocument:
    text: str
    document: DocumentNode
    operations: list[OperationDefinitionNode] = field(init=False)
    requested_fields: frozenset[str] = frozenset()
    """The names of all its fields, in snake case."""
    validation_errors: dict[bool, list[GraphQLError]] = field(default_factory=dict)
    """By whether the schema is hidden from the caller."""
    executor_templates: dict[str | None, ExecutorTemplate] = field(default_factory=dict)
    """By the operationName of the request."""
    costs: LRUCache[Hashable, OperationCost] = field(default_factory=lambda: LRUCache(_MAX_COSTS))
    """By operationName and page sizes."""
    _by_name: dict[str, OperationDefinitionNode] = field(init=False)

    def __post_init__(self) -> None:
        self.operations = [d for d in self.document.definitions if isinstance(d, OperationDefinitionNode)]
        # The first of two with the same name, which validation rejects.
        self._by_name = {o.name.value: o for o in reversed(self.operations) if o.name}

    def select_operation(self, name: str | None) -> OperationDefinitionNode:
        """Return the operation of this name, or the only one if the name is None. Raises GraphQLError."""
        if name:
            if name not in self._by_name:
                raise GraphQLError(f'Unknown operation named "{name}".')
            return self._by_name[name]
        if not self.operations:
            raise GraphQLError("The document has no operation.")
        if len(self.operations) > 1:
            raise GraphQLError("The document has several operations; select one by operationName.")
        return self.operations[0]


def document_cache() -> LRUCache[str, CachedDocument]:
    # A short document counts as the average one, so that there are at most MAX_DOCUMENTS.
    return LRUCache(MAX_CHARACTERS, lambda each: max(len(each.text), MAX_CHARACTERS // MAX_DOCUMENTS))
