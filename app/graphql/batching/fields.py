"""Fields that are read for all objects of a level at once: one load of a dataloader for a whole list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from inspect import isawaitable
from typing import Any, TypeAlias, TypeVar

import strawberry
from strawberry import Parent

from app.execution.field_resolvers import LEVEL
from app.execution.waiting import settle
from app.graphql.batching.loader import Gathered
from app.graphql.context import Context, Info

K = TypeVar("K")
V = TypeVar("V")

Answers: TypeAlias = Sequence[Any] | Awaitable[Sequence[Any]]
Level: TypeAlias = Callable[[Sequence[Any], Context], Answers]
"""Answers for each object in turn, awaited or not; an exception stands for what failed."""


def edge(graphql_type: Any, description: str) -> Callable[[Level], Any]:  # noqa: ANN401 - Strawberry's
    """Make a field of a Level; graphql-core, which asks object by object, gets levels of one."""

    def make(level: Level) -> Any:  # noqa: ANN401 - a Strawberry field
        async def resolve(root: Parent[Any], info: Info) -> Any:  # noqa: ANN401 - as above
            answers = level([root], info.context)
            (found,) = await answers if isawaitable(answers) else answers
            if isawaitable(found):
                found = await found
            if isinstance(found, Exception):
                raise found
            return found

        return strawberry.field(
            resolver=resolve, description=description, graphql_type=graphql_type, metadata={LEVEL: level}
        )

    return make


def each(loader: Gathered[K, V], keys: Iterable[K | None]) -> Answers:
    """What is loaded for each key; None for a key that is None."""
    return loader.each(list(keys))


async def settled(answers: Answers) -> list[Any]:
    """What each comes to, or the exception."""
    found = list(await answers if isawaitable(answers) else answers)
    await settle([found])
    return found
