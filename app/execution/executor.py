"""What takes the place of graphql-core's executor: it leaves to it what plans cannot do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from graphql import (
    ExecutionResult,
    Executor,
    GraphQLError,
    OperationType,
    default_field_resolver,
    default_type_resolver,
    get_variable_values,
)

from app.execution.nulls import with_nulls
from app.execution.places import Places
from app.execution.plan import Plans
from app.execution.run import Run

if TYPE_CHECKING:
    from graphql import FragmentDefinitionNode, GraphQLSchema, OperationDefinitionNode
    from graphql.execution.collect_fields import FragmentDetails

    from app.execution.plan import Selection

_MOST_ERRORS = 50
"""Of variables, as graphql-core has it."""


class Prepared(NamedTuple):
    """What all executions of an operation have in common."""

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragment_definitions: dict[str, FragmentDefinitionNode]
    fragments: dict[str, FragmentDetails]

    @classmethod
    def by(cls, executor: Executor[Any]) -> Self:
        """An executor that was built for the operation."""
        return cls(executor.schema, executor.operation, executor.fragment_definitions, executor.fragments)


class LevelExecutor(Executor[Any]):
    """An `executor_class` for graphql-core, alone or before another in the line of bases."""

    native_leaves: ClassVar[bool] = False
    """Whether moments are left as they are, for orjson to write."""

    def __init__(self, *args: Any, plans: Plans | None = None, **kwargs: Any) -> None:  # noqa: ANN401
        """`plans` of the same operation, made by executions before this one."""
        super().__init__(*args, **kwargs)
        self.plans = plans or Plans()

    @classmethod
    def of(
        cls,
        prepared: Prepared,
        context_value: Any,  # noqa: ANN401 - as `build` has it
        variables: dict[str, Any] | None,
        **more: Any,  # noqa: ANN401 - as `build` has it
    ) -> Self | list[GraphQLError]:
        """As `build` does, for an operation for which it has been done before."""
        coerced = get_variable_values(
            prepared.schema, prepared.operation.variable_definitions or (), variables or {}, _MOST_ERRORS
        )
        if isinstance(coerced, list):
            return coerced
        return cls(
            prepared.schema,
            prepared.fragment_definitions,
            prepared.fragments,
            None,
            context_value,
            prepared.operation,
            coerced,
            default_field_resolver,
            default_type_resolver,
            default_field_resolver,
            **more,
        )

    def execute_operation(self, serially: bool | None = None) -> Any:  # noqa: ANN401, FBT001 - as graphql-core has it
        root = self._planned()
        if root is None:
            return super().execute_operation(serially)
        if serially is None:
            serially = self.operation.operation is OperationType.MUTATION
        return self._execute(root.one_by_one() if serially else [root])

    def _planned(self) -> Selection | None:
        """None for what graphql-core does itself, or can tell better why it cannot be done."""
        type_ = self.schema.get_root_type(self.operation.operation)
        by_itself = (
            self.abort_signal is not None
            or self.hooks is not None
            or any(fragment.variable_signatures for fragment in self.fragments.values())
        )
        if type_ is None or by_itself:
            return None
        try:
            return self.plans.root(self, type_)
        except (RecursionError, GraphQLError):
            return None

    async def _execute(self, selections: list[Selection]) -> ExecutionResult:
        try:
            return await self._executed(selections)
        finally:
            # The two refer to each other. Without it, this is gone at once, and not with the next collection.
            del self.async_helpers

    async def _executed(self, selections: list[Selection]) -> ExecutionResult:
        """The selections of the root one after the other."""
        data: dict[str, Any] | None = {}
        errors: list[GraphQLError] = []
        for selection in selections:
            assert data is not None  # noqa: S101 - see the end of the loop
            run = Run(self)
            run.next(selection, [self.root_value], [data], Places(lambda: [None]))
            await run.complete()
            if run.failures:
                data, found = with_nulls(data, run.failures, propagate=self.error_propagation)
                errors += found
            if data is None:
                break  # what comes after would not be told, and must not happen
        return ExecutionResult(data, errors or None)
