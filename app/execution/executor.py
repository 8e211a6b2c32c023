"""Replaces graphql-core's executor. What cannot be planned is left to graphql-core."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar

from graphql import (
    ExecutionResult,
    Executor,
    GraphQLError,
    GraphQLResolveInfoHelpers,
    OperationType,
    located_error,
)
from graphql.execution.executor import CollectedErrors
from graphql.pyutils import RefMap

from app.execution.null_propagation import propagate_nulls
from app.execution.plan import Execution, LazyPaths, SelectionPlan
from app.execution.planner import PlanCache
from app.execution.variables import VariableCoercer

if TYPE_CHECKING:
    from collections.abc import Callable

_COLLECTORS = (list, dict, set, RefMap, CollectedErrors)
_SHARED = frozenset({"fragments", "fragment_definitions"})
"""Collections that belong to the operation, not to one executor."""


class ExecutorTemplate:
    """Creates executors of one operation from the attributes that all of them share."""

    def __init__(self, executor: BreadthFirstExecutor) -> None:
        self._class = type(executor)
        self.plans = executor.plans
        self._common = dict(vars(executor))
        self._collectors = {
            name: type(value)
            for name, value in self._common.items()
            if isinstance(value, _COLLECTORS) and name not in _SHARED
        }
        self._variables = VariableCoercer(executor.schema, executor.operation)
        for name in ("async_helpers", "context_value", "variable_values", *self._collectors):
            del self._common[name]

    def executor(
        self,
        context_value: Any,  # noqa: ANN401 - as `build` has it
        variables: dict[str, Any] | None,
        **attributes: Any,  # noqa: ANN401 - of the executor's class
    ) -> BreadthFirstExecutor | list[GraphQLError]:
        """Like `Executor.build`, in a third of the time. Returns the errors of the variables, if any."""
        values = self._variables.coerce(variables or {})
        if isinstance(values, list):
            return values
        executor = self._class.__new__(self._class)
        vars(executor).update(self._common, context_value=context_value, variable_values=values)
        # Collections belong to one executor.
        vars(executor).update({name: create() for name, create in self._collectors.items()}, **attributes)
        executor.async_helpers = GraphQLResolveInfoHelpers(
            gather=executor.gather_async_work, track=executor.track_async_work
        )
        return executor


class BreadthFirstExecutor(Executor[Any]):
    """An `executor_class` for graphql-core, on its own or as the first of several bases."""

    native_leaves: ClassVar[bool] = False
    """Whether datetimes are left to orjson."""
    values: int = 0
    """The values of the response so far: fields of objects, and items of lists."""
    max_values: int = sys.maxsize
    on_growth: Callable[[BreadthFirstExecutor], object]
    """Called when there are more than `max_values`. It may raise that, or a GraphQLError."""

    def __init__(self, *args: Any, plans: PlanCache | None = None, **kwargs: Any) -> None:  # noqa: ANN401
        """`plans` is the cache of the same operation, filled by earlier executions."""
        super().__init__(*args, **kwargs)
        self.plans = plans or PlanCache()

    def execute_operation(self, serially: bool | None = None) -> Any:  # noqa: ANN401, FBT001 - as in graphql-core
        root = self.root_plan()
        if root is None:
            return super().execute_operation(serially)
        if serially is None:
            serially = self.operation.operation is OperationType.MUTATION
        return self.execute_plans([SelectionPlan([field]) for field in root.fields] if serially else [root])

    def root_plan(self) -> SelectionPlan | None:
        """Return the plan of the root fields; None if graphql-core has to execute or reject the operation."""
        type_ = self.schema.get_root_type(self.operation.operation)
        if (
            type_ is None
            or self.abort_signal is not None
            or self.hooks is not None
            or any(fragment.variable_signatures for fragment in self.fragments.values())
        ):
            return None
        try:
            return self.plans.root(self, type_)
        except (RecursionError, GraphQLError):
            return None

    def count_values(self, values: int) -> None:
        """Raises what `on_growth` raises."""
        self.values += values
        if self.values > self.max_values:
            self.on_growth(self)

    async def execute_plans(self, plans: list[SelectionPlan]) -> ExecutionResult:
        """Execute root plans one after another. An executor can do so once."""
        data: dict[str, Any] | None = {}
        errors: list[GraphQLError] = []
        try:
            for plan in plans:
                if data is None:
                    break  # the response has no room for later fields, so they must not be executed
                execution = Execution(self)
                execution.enqueue(plan, [self.root_value], [data], LazyPaths(lambda: [None]))
                try:
                    await execution.execute_layers()
                except GraphQLError as error:
                    if self.operation.operation is not OperationType.MUTATION:
                        raise
                    # Something has changed, so the error is that of a field.
                    field = plan.fields[0]
                    data, execution.errors = None, []
                    errors.append(located_error(error, field.nodes, [field.key]))
                if execution.errors:
                    data, located = propagate_nulls(data, execution.errors, propagate=self.error_propagation)
                    errors += located
        finally:
            self.break_reference_cycle()
        return ExecutionResult(data, errors or None)

    def break_reference_cycle(self) -> None:
        """Let reference counting free the executor: it and its helpers refer to each other."""
        del self.async_helpers
