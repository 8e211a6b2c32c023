"""Lets an operation through to execution, or says which limit it is over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    OverlappingFieldsCanBeMergedRule,
    ValidationContext,
    parse,
    specified_rules,
    validate,
)
from graphql.validation.validate import ValidationAbortedError
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule
from strawberry.utils.str_converters import to_snake_case

from app.domain.policy import Exploring, may_explore
from app.execution.cache import TextCache
from app.graphql.admission.complexity import Ruler, Shapes, Size, pages_of
from app.graphql.admission.document_cache import Cost, Known
from app.graphql.admission.rate_limit import Buckets
from app.graphql.context import Context
from app.graphql.errors import KeyOfMany, RateLimited, TooLarge

if TYPE_CHECKING:
    from strawberry.types import ExecutionContext

    from app.domain.model import Actor
    from app.graphql.admission.limits import Limits
    from app.graphql.admission.trusted_documents import TrustedDocuments


@dataclass(slots=True)
class Asked:
    """An operation as a client has said it, with the names that Strawberry has for its parts."""

    query: str | None
    variables: dict[str, Any] | None
    operation_name: str | None
    operation_extensions: dict[str, Any] | None
    context: Context
    graphql_document: DocumentNode | None = None
    extensions_results: dict[str, Any] = field(default_factory=dict)

    @property
    def points(self) -> int:
        """That it costs, once it is admitted."""
        return int(self.extensions_results["cost"]["requested"])


class Guard:
    def __init__(
        self, schema: GraphQLSchema, limits: Limits, *, production: bool, documents: TrustedDocuments
    ) -> None:
        self._schema = schema
        self._limits = limits
        self._production = production
        self._documents = documents
        self._rules = [
            *(rule for rule in specified_rules if rule is not OverlappingFieldsCanBeMergedRule),
            bounded_overlaps(limits.comparisons),
            MaybeNullValidationRule,
            OneOfInputValidationRule,
        ]
        self._trusted = frozenset(documents.texts.values())
        self._shapes = Shapes(schema)
        self._buckets = Buckets(limits)
        self._known: TextCache[Known] = TextCache()

    def admit(self, operation: Asked | ExecutionContext) -> Known | None:
        """Find, parse, measure and charge the operation, before anything slower. Raises GraphQLError.

        None when it is given neither by text nor by name.
        """
        text = self._documents.text(
            operation.query,
            operation.operation_extensions,
            free=may_explore(operation.context.signed_in, Exploring.DOCUMENTS),
        )
        if text is None:
            return None
        known = self._known.get(text) or Known(self._parse(text))
        name = operation.operation_name
        runs = known.that_runs(name)
        if runs is not None:
            operation.context.observation.is_of(runs, trusted=text in self._trusted)
        cost = self._cost(known, runs, operation)
        self._known.put(text, known)
        operation.graphql_document = known.document
        self._charge(operation, cost)
        operation.context.begin(known, text, name, operation.variables)
        return known

    def validate(self, known: Known, actor: Actor | None) -> list[GraphQLError]:
        """What is wrong with the document: no more than is shown, and one to tell that there is more."""
        closed = self._production and not may_explore(actor, Exploring.SCHEMA)
        mistakes = known.mistakes.get(closed)
        if mistakes is None:
            mistakes = known.mistakes[closed] = self._mistakes(known.document, closed=closed)
        return mistakes

    def _mistakes(self, document: DocumentNode, *, closed: bool) -> list[GraphQLError]:
        errors = validate(
            self._schema,
            document,
            [*self._rules, NoSchemaIntrospectionCustomRule] if closed else self._rules,
            max_errors=self._limits.errors + 1,
            hide_suggestions=self._production,
        )
        # That it stopped there is no news, unless it has nothing else to say.
        return [error for error in errors if not isinstance(error, ValidationAbortedError)] or errors

    def _cost(
        self, known: Known, runs: OperationDefinitionNode | None, operation: Asked | ExecutionContext
    ) -> int:
        pages = pages_of(runs, operation.variables or {}) if runs else {}
        key = operation.operation_name, *pages.values()
        cost = known.cost(key)
        if cost is None:
            cost = self._measure(known, runs, pages)
            known.costs(key, cost)
        if (
            runs is not None
            and runs.operation is OperationType.MUTATION
            and cost.width > 1
            and operation.context.idempotency_key
        ):
            raise KeyOfMany
        return cost.points

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

    def _measure(self, known: Known, runs: OperationDefinitionNode | None, pages: dict[str, int]) -> Cost:
        """What the operation that will run costs. Raises TooLarge for any of the document."""
        ruler = Ruler(known.document, self._shapes, pages, assumed_list=self._limits.assumed_list)
        whole = Size()
        cost = Cost(0, 0)
        for node in known.operations:
            try:
                size = ruler.operation(node)
            except RecursionError:
                raise TooLarge("depth", self._limits.depth) from None
            self._check("mutations" if node.operation is OperationType.MUTATION else "roots", size.width)
            whole.add(size)
            if node is runs:
                cost = Cost(size.cost, size.width)
        # Those that will not run are validated, too.
        self._check("depth", whole.depth)
        self._check("aliases", whole.aliases)
        self._check("directives", whole.directives)
        self._check("fields", whole.fields)
        self._check("cost", cost.points)
        known.asked = frozenset(map(to_snake_case, ruler.names))
        return cost

    def _check(self, limit: str, counted: int) -> None:
        maximum = getattr(self._limits, limit)
        if counted > maximum:
            raise TooLarge(limit, maximum, counted)

    def _charge(self, operation: Asked | ExecutionContext, cost: int) -> None:
        context = operation.context
        if context.account is None:
            context.account = self._buckets.spend(context.subject, cost)
        account = context.account
        operation.extensions_results["cost"] = {
            "requested": cost,
            "remaining": int(account.remaining),
            "capacity": self._limits.bucket,
            "refillPerSecond": self._limits.refill_per_s,
        }
        if account.wait_s:
            raise RateLimited(account.wait_s)


def bounded_overlaps(most: int) -> type[OverlappingFieldsCanBeMergedRule]:
    """The rule that compares fields of the same name pair by pair, with an end to its patience."""

    class BoundedOverlaps(OverlappingFieldsCanBeMergedRule):
        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            self.rule_context.remaining_complexity_budget = most

        def enter_selection_set(self, *args: Any) -> None:  # noqa: ANN401 - of a visitor
            try:
                super().enter_selection_set(*args)
            except ValidationAbortedError:
                if self.rule_context.remaining_complexity_budget < 0:
                    self.report_error(TooLarge("comparisons", most))
                raise

    return BoundedOverlaps
