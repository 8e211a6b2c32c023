"""A document that was let through before: what was worked out of its text stays true."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode

from app.execution.executor import ExecutorTemplate
from app.execution.planner import PlanCache

_MOST_COSTS = 64


class OperationCost(NamedTuple):
    """Of one operation, for the pages that its variables ask for."""

    points: int
    root_fields: int
    """Fields at its root."""


@dataclass(slots=True, eq=False)
class CachedDocument:
    document: DocumentNode
    operations: list[OperationDefinitionNode] = field(init=False)
    requested_fields: frozenset[str] = frozenset()
    """The names of all its fields, as the domain spells them."""
    validation_errors: dict[bool, list[GraphQLError]] = field(default_factory=dict)
    """What validation finds, by whether the schema is closed to who asks."""
    plans: defaultdict[str | None, PlanCache] = field(default_factory=lambda: defaultdict(PlanCache))
    """By the name of the operation. It has as many as the document has operations."""
    executor_templates: dict[str | None, ExecutorTemplate] = field(default_factory=dict)
    """By the name that is asked for."""
    _costs: dict[Hashable, OperationCost] = field(default_factory=dict)
    _by_name: dict[str, OperationDefinitionNode] = field(init=False)

    def __post_init__(self) -> None:
        self.operations = [d for d in self.document.definitions if isinstance(d, OperationDefinitionNode)]
        # Of two that have one name, which validation refuses, the first.
        self._by_name = {o.name.value: o for o in reversed(self.operations) if o.name}

    def select_operation(self, name: str | None) -> OperationDefinitionNode | None:
        """None when there is none of this name. Raises GraphQLError."""
        if name:
            return self._by_name.get(name)
        if len(self.operations) > 1:
            raise GraphQLError("The document has several operations; say which by operationName.")
        return next(iter(self.operations), None)

    def cost(self, key: Hashable) -> OperationCost | None:
        return self._costs.get(key)

    def set_cost(self, key: Hashable, cost: OperationCost) -> None:
        # Variables may ask for any number of pages.
        if len(self._costs) >= _MOST_COSTS:
            self._costs.clear()
        self._costs[key] = cost
