"""What takes the place of graphql-core's executor: it leaves to it what plans cannot do."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from graphql import ExecutionResult, Executor, GraphQLError, GraphQLResolveInfoHelpers, OperationType
from graphql.execution.executor import CollectedErrors
from graphql.pyutils import RefMap

from app.execution.null_propagation import propagate_nulls
from app.execution.plan import PlanCache
from app.execution.response_path import LazyPaths
from app.execution.run import Execution
from app.execution.variables import Variables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.execution.plan import SelectionPlan

_COLLECTORS = (list, dict, set, RefMap, CollectedErrors)
_OF_ALL = frozenset({"fragments", "fragment_definitions"})


class ExecutorTemplate:
    """What all executions of an operation have in common: what an executor knows that was built for one."""

    def __init__(self, executor: BreadthFirstExecutor) -> None:
        self._kind = type(executor)
        self._common = dict(vars(executor))
        # What an executor collects is its own; it is made when something asks for it.
        collectors = {
            name: type(value)
            for name, value in self._common.items()
            if isinstance(value, _COLLECTORS) and name not in _OF_ALL
        }
        for name in ("async_helpers", "context_value", "variable_values", *collectors):
            del self._common[name]
        self._common["collectors"] = collectors
        self._variables = Variables(executor.schema, executor.operation)

    def executor(
        self,
        context_value: Any,  # noqa: ANN401 - as `build` has it
        variables: dict[str, Any] | None,
        **own: Any,  # noqa: ANN401 - attributes that the executor's class has besides
    ) -> BreadthFirstExecutor | list[GraphQLError]:
        """As `build` makes it, in a third of the time; errors of the variables take its place."""
        coerced = self._variables.coerced(variables or {})
        if isinstance(coerced, list):
            return coerced
        executor = self._kind.__new__(self._kind)
        vars(executor).update(self._common, context_value=context_value, variable_values=coerced, **own)
        executor.async_helpers = GraphQLResolveInfoHelpers(
            gather=executor.gather_async_work, track=executor.track_async_work
        )
        return executor


class BreadthFirstExecutor(Executor[Any]):
    """An `executor_class` for graphql-core, alone or before another in the line of bases."""

    native_leaves: ClassVar[bool] = False
    """Whether moments are left as they are, for orjson to write."""

    def __init__(self, *args: Any, plans: PlanCache | None = None, **kwargs: Any) -> None:  # noqa: ANN401
        """`plans` of the same operation, made by executions before this one."""
        super().__init__(*args, **kwargs)
        self.plans = plans or PlanCache()

    collectors: Mapping[str, Callable[[], Any]] = MappingProxyType({})
    """What was not made yet, by the name of its attribute."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - of graphql-core
        if name not in self.collectors:
            raise AttributeError(name=name, obj=self)
        value = self.collectors[name]()
        setattr(self, name, value)
        return value

    def execute_operation(self, serially: bool | None = None) -> Any:  # noqa: ANN401, FBT001 - as graphql-core has it
        root = self.root_plan()
        if root is None:
            return super().execute_operation(serially)
        if serially is None:
            serially = self.operation.operation is OperationType.MUTATION
        return self._execute(root.split_fields() if serially else [root])

    def root_plan(self) -> SelectionPlan | None:
        """What is asked of the root; None where graphql-core does it, or can tell better why it cannot."""
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

    async def _execute(self, selections: list[SelectionPlan]) -> ExecutionResult:
        try:
            return await self._executed(selections)
        finally:
            self.break_reference_cycle()

    def break_reference_cycle(self) -> None:
        """Be gone when nobody needs this, and not with the next collection: the two refer to each other."""
        del self.async_helpers

    async def _executed(self, selections: list[SelectionPlan]) -> ExecutionResult:
        """The selections of the root one after the other."""
        data: dict[str, Any] | None = {}
        errors: list[GraphQLError] = []
        for selection in selections:
            assert data is not None  # noqa: S101 - see the end of the loop
            run = Execution(self)
            run.enqueue(selection, [self.root_value], [data], LazyPaths(lambda: [None]))
            await run.execute_layers()
            if run.errors:
                data, found = propagate_nulls(data, run.errors, propagate=self.error_propagation)
                errors += found
            if data is None:
                break  # what comes after would not be told, and must not happen
        return ExecutionResult(data, errors or None)
