"""Fields that are resolved for all objects of a layer at once: a list needs one batch of a dataloader."""

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
"""Returns a value for each object. It may be an awaitable, or the exception that the field raises."""


def batched_field(graphql_type: Any, description: str) -> Callable[[BatchResolverFn], Any]:  # noqa: ANN401 - Strawberry's
    """Declare a field with a batch resolver. graphql-core calls it with one object at a time."""

    def make(batch_resolver: BatchResolverFn) -> Any:  # noqa: ANN401 - a Strawberry field
        async def resolve(root: Parent[Any], info: Info) -> Any:  # noqa: ANN401 - as above
            [value] = await gather_results(batch_resolver([root], info.context))
            if isinstance(value, Exception):
                raise value
            return value

        return strawberry.field(
            resolver=resolve,
            description=description,
            graphql_type=graphql_type,
            metadata={BATCH_RESOLVER: batch_resolver},
        )

    return make


def load_each(loader: BatchLoader[K, V], keys: Iterable[K | None]) -> BatchResult:
    """Load the value of each key; None for a key that is None."""
    return loader.load_column(list(keys))


async def gather_results(batch_result: BatchResult) -> list[Any]:
    """Await every value. Returns an exception in place of a value that failed."""
    values = list(await batch_result if isawaitable(batch_result) else batch_result)
    await await_all([values])
    return values
