"""Batch resolvers, which resolve a field for all objects of a layer at once: a list needs one batch."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from inspect import isawaitable
from typing import Any, TypeAlias, TypeVar

from app.domain import model
from app.execution.waiting import await_all
from app.graphql.batching.loader import BatchLoader
from app.graphql.context import Context
from app.rows import attribute

K = TypeVar("K")
V = TypeVar("V")

BatchResult: TypeAlias = Sequence[Any] | Awaitable[Sequence[Any]]
"""A value for each object. It may be an awaitable, or the exception that the field raises."""


def load_each(loader: BatchLoader[K, V], keys: Iterable[K | None]) -> BatchResult:
    """Load the value of each key; None for a key that is None."""
    return loader.load_column(list(keys))


async def gather_results(batch_result: BatchResult) -> list[Any]:
    """Await every value. Returns an exception in place of a value that failed."""
    values = list(await batch_result if isawaitable(batch_result) else batch_result)
    await await_all([values])
    return values


def load_engineers(parents: Sequence[Any], context: Context) -> BatchResult:
    """Load the engineers of parents that have an `engineer_id`."""
    return load_each(context.loaders.engineer, attribute(parents, "engineer_id"))


def load_tickets(parents: Sequence[Any], context: Context) -> BatchResult:
    """Load the tickets of parents that have a `ticket_id`."""
    return load_each(context.loaders.ticket, attribute(parents, "ticket_id"))


def load_equipment(parents: Sequence[model.Ticket | model.Assignment], context: Context) -> BatchResult:
    return load_each(context.loaders.equipment, attribute(parents, "equipment_id"))
