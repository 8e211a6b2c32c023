"""Parsed documents with what was derived from their text, so that a repeated document is analysed once.

The cache is bounded by the memory that documents and their plans take, in sum. Plans grow during execution.
"""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from cachetools import LRUCache
from graphql import DocumentNode, GraphQLError, OperationDefinitionNode

from app.execution.executor import ExecutorTemplate

MAX_DOCUMENTS = 500
MAX_BYTES = 64_000_000
"""Of all cached documents, by the averages below."""
_BYTES_PER_CHARACTER = 150
_BYTES_PER_TEMPLATE = 10_000
_BYTES_PER_PLANNED_FIELD = 2_000
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

    @property
    def size(self) -> int:
        """In bytes. A small document counts as the average one, so that there are at most MAX_DOCUMENTS."""
        templates = self.executor_templates.values()
        fields = sum(template.plans.fields for template in templates)
        size = len(self.text) * _BYTES_PER_CHARACTER + len(templates) * _BYTES_PER_TEMPLATE
        return max(size + fields * _BYTES_PER_PLANNED_FIELD, MAX_BYTES // MAX_DOCUMENTS)

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


class DocumentCache(LRUCache[str, CachedDocument]):
    def __init__(self) -> None:
        super().__init__(MAX_BYTES, lambda document: document.size)

    def popitem(self) -> tuple[str, CachedDocument]:
        """Break the reference cycle of the dropped document: the garbage collector would come much later."""
        text, document = super().popitem()
        document.executor_templates.clear()
        return text, document

    def add(self, document: CachedDocument) -> None:
        """Add the document unless it is larger than the whole cache; or measure it again if it has grown."""
        self.pop(document.text, None)
        with suppress(ValueError):
            self[document.text] = document
