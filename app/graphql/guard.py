"""Lets an operation through to validation, or says which limit it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphql import (
    DocumentNode,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    parse,
)

from app.graphql.buckets import Buckets
from app.graphql.faults import RateLimited, TooLarge
from app.graphql.measure import Ruler, Shapes, Size, pages_of

if TYPE_CHECKING:
    from strawberry.types import ExecutionContext

    from app.graphql.limits import Limits


class Guard:
    def __init__(self, schema: GraphQLSchema, limits: Limits) -> None:
        self._limits = limits
        self._shapes = Shapes(schema)
        self._buckets = Buckets(limits)

    def admit(self, operation: ExecutionContext) -> None:
        """Parse, measure and charge the operation. Raises GraphQLError.

        Validation comes after: its time grows faster than the text, and the limits bound it.
        """
        if not operation.query:
            return
        document = self._parse(operation.query)
        cost = self._measure(document, operation)
        operation.graphql_document = document
        self._charge(operation, cost)

    def _parse(self, text: str) -> DocumentNode:
        limits = self._limits
        if len(text) > limits.characters:
            raise TooLarge("characters", limits.characters, len(text))
        try:
            return parse(text, max_tokens=limits.tokens)
        except GraphQLSyntaxError as error:
            # The parser tells its limit from other errors by the message only.
            if error.message.endswith(f"more than {limits.tokens} tokens. Parsing aborted."):
                raise TooLarge("tokens", limits.tokens) from None
            raise

    def _measure(self, document: DocumentNode, operation: ExecutionContext) -> int:
        """What the operation that will run costs. Every operation must be within the other limits."""
        operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
        name = operation.operation_name
        runs = next((o for o in operations if not name or (o.name and o.name.value == name)), None)
        pages = pages_of(runs, operation.variables or {}) if runs else {}
        ruler = Ruler(document, self._shapes, pages, assumed_list=self._limits.assumed_list)
        cost = 0
        for node in operations:
            try:
                size = ruler.operation(node)
            except RecursionError:
                raise TooLarge("depth", self._limits.depth) from None
            self._check(node, size)
            if node is runs:
                cost = size.cost
        if cost > self._limits.cost:
            raise TooLarge("cost", self._limits.cost, cost)
        return cost

    def _check(self, node: OperationDefinitionNode, size: Size) -> None:
        roots = "mutations" if node.operation is OperationType.MUTATION else "roots"
        for limit, counted in (
            ("depth", size.depth),
            (roots, size.width),
            ("aliases", size.aliases),
            ("directives", size.directives),
            ("fields", size.fields),
        ):
            maximum = getattr(self._limits, limit)
            if counted > maximum:
                raise TooLarge(limit, maximum, counted)

    def _charge(self, operation: ExecutionContext, cost: int) -> None:
        account = self._buckets.spend(operation.context.subject, cost)
        operation.extensions_results["cost"] = {
            "requested": cost,
            "remaining": int(account.remaining),
            "capacity": self._limits.bucket,
            "refillPerSecond": self._limits.refill_per_s,
        }
        if account.wait_s:
            raise RateLimited(account.wait_s)
