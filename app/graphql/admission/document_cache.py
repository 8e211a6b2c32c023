"""A document that was let through before: what was worked out of its text stays true."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode

from app.execution.executor import Prepared
from app.execution.plan import Plans

_MOST_COSTS = 64


class Cost(NamedTuple):
    """Of one operation, for the pages that its variables ask for."""

    points: int
    width: int
    """Fields at its root."""


@dataclass(slots=True, eq=False)
class Known:
    document: DocumentNode
    operations: list[OperationDefinitionNode] = field(init=False)
    asked: frozenset[str] = frozenset()
    """The names of all its fields, as the domain spells them."""
    mistakes: dict[bool, list[GraphQLError]] = field(default_factory=dict)
    """What validation finds, by whether the schema is closed to who asks."""
    plans: defaultdict[str | None, Plans] = field(default_factory=lambda: defaultdict(Plans))
    """By the name of the operation. It has as many as the document has operations."""
    prepared: dict[str | None, Prepared] = field(default_factory=dict)
    """By the name that is asked for."""
    _costs: dict[Hashable, Cost] = field(default_factory=dict)
    _by_name: dict[str, OperationDefinitionNode] = field(init=False)

    def __post_init__(self) -> None:
        self.operations = [d for d in self.document.definitions if isinstance(d, OperationDefinitionNode)]
        # Of two that have one name, which validation refuses, the first.
        self._by_name = {o.name.value: o for o in reversed(self.operations) if o.name}

    def that_runs(self, name: str | None) -> OperationDefinitionNode | None:
        """None when there is none of this name. Raises GraphQLError."""
        if name:
            return self._by_name.get(name)
        if len(self.operations) > 1:
            raise GraphQLError("The document has several operations; say which by operationName.")
        return next(iter(self.operations), None)

    def cost(self, key: Hashable) -> Cost | None:
        return self._costs.get(key)

    def costs(self, key: Hashable, cost: Cost) -> None:
        # Variables may ask for any number of pages.
        if len(self._costs) >= _MOST_COSTS:
            self._costs.clear()
        self._costs[key] = cost
