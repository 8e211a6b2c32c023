"""Several executions of one plan as one, so that a level is a level of them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.execution.response_path import Places
from app.execution.run import Group, Run
from app.execution.waiting import settle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphql import GraphQLResolveInfo

    from app.execution.executor import LevelExecutor
    from app.execution.plan import Field, Selection
    from app.execution.response_path import Place


class _AsksWhose(Exception):
    """A field below the root wants to know of which operation it is."""


class _Company(Run):
    def next(
        self, selection: Selection, sources: Sequence[Any], targets: list[dict[str, Any]], places: Places
    ) -> None:
        if selection.asks_whose:
            raise _AsksWhose
        super().next(selection, sources, targets, places)

    def info(self, field: Field, place: Place) -> GraphQLResolveInfo[Any]:
        raise _AsksWhose(field, place)

    async def data(self, executors: Sequence[LevelExecutor], selection: Selection) -> list[dict[str, Any]]:
        """Of each operation. What its root asks for, each begins by itself."""
        told: list[dict[str, Any]] = [{} for _ in executors]
        begun = [
            Run(executor).begin(Group(selection, [executor.root_value], [data], Places(lambda: [None])))
            for executor, data in zip(executors, told, strict=True)
        ]
        leaves = [_joined(columns) for columns in zip(*(leaves for leaves, _ in begun), strict=True)]
        columns = [_joined(columns) for columns in zip(*(columns for _, columns in begun), strict=True)]
        await settle(columns)
        all_of_them = Group(selection, [None] * len(told), told, Places(lambda: [None] * len(told)))
        await self.fill(all_of_them, leaves, columns)
        await self.complete()
        return told


def _joined(columns: Sequence[Sequence[Any]]) -> list[Any]:
    return [value for (value,) in columns]


async def execute_in_company(
    executors: Sequence[LevelExecutor], selection: Selection
) -> list[dict[str, Any]] | None:
    """The data of each of these queries, whose plan this is.

    None where anything has failed, or some field asks whose it is: then each must be executed by itself. A
    function of a whole level is given the context of one of them, which it must not tell from the others'.
    """
    company = _Company(executors[0])
    try:
        data = await company.data(executors, selection)
    except _AsksWhose:
        selection.goes_alone = True
        return None
    except Exception:  # noqa: BLE001 - whose fault it is, they find out alone
        return None
    if company.failures:
        return None
    for executor in executors:
        executor.let_go()
    return data
