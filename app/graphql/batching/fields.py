"""Fields that are read for all objects of a level at once: one load of a dataloader for a whole list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from inspect import isawaitable
from typing import Any, TypeAlias, TypeVar

import strawberry
from strawberry import Parent

from app.execution.field_resolvers import BATCH_RESOLVER
from app.execution.waiting import await_all
from app.graphql.batching.loader import BatchLoader
from app.graphql.context import Context, Info

K = TypeVar("K")
V = TypeVar("V")

BatchResult: TypeAlias = Sequence[Any] | Awaitable[Sequence[Any]]
BatchResolverFn: TypeAlias = Callable[[Sequence[Any], Context], BatchResult]
"""Answers for each object in turn, awaited or not; an exception stands for what failed."""


def batched_field(graphql_type: Any, description: str) -> Callable[[BatchResolverFn], Any]:  # noqa: ANN401 - Strawberry's
    """Make a field of a Level; graphql-core, which asks object by object, gets levels of one."""

    def make(level: BatchResolverFn) -> Any:  # noqa: ANN401 - a Strawberry field
        async def resolve(root: Parent[Any], info: Info) -> Any:  # noqa: ANN401 - as above
            answers = level([root], info.context)
            (found,) = await answers if isawaitable(answers) else answers
            if isawaitable(found):
                found = await found
            if isinstance(found, Exception):
                raise found
            return found

        return strawberry.field(
            resolver=resolve,
            description=description,
            graphql_type=graphql_type,
            metadata={BATCH_RESOLVER: level},
        )

    return make


def load_each(loader: BatchLoader[K, V], keys: Iterable[K | None]) -> BatchResult:
    """What is loaded for each key; None for a key that is None."""
    return loader.load_many(list(keys))


async def gather_results(answers: BatchResult) -> list[Any]:
    """What each comes to, or the exception."""
    found = list(await answers if isawaitable(answers) else answers)
    await await_all([found])
    return found
