"""Propagates errors: each makes the nearest nullable position around it null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, located_error

from app.execution.completion import ListCompleter
from app.execution.plan import path_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.execution.plan import Completer, Field, LazyPath


def propagate_nulls(
    data: dict[str, Any] | None, failures: Sequence[tuple[LazyPath, Exception]], *, propagate: bool
) -> tuple[dict[str, Any] | None, list[GraphQLError]]:
    """Return the data with its nulls, and the errors in the order of the response.

    An error inside a null caused by another error is omitted. Without `propagate`, nulls stay in place.
    """
    errors = []
    steps_and_errors = [(path_steps(path), error) for path, error in failures]
    for steps, error in sorted(steps_and_errors, key=lambda each: _order(each[0])):
        position = _nearest_nullable(data, steps, propagate=propagate)
        if position is None:
            continue
        container, key = position
        if container is None:
            data = None
        else:
            container[key] = None
        errors.append(_located(error, steps))
    return data, errors


def _order(steps: Sequence[Field | int]) -> list[int]:
    return [step if isinstance(step, int) else step.index for step in steps]


def _nearest_nullable(
    data: Any,  # noqa: ANN401 - an object or a list of the response
    steps: Sequence[Field | int],
    *,
    propagate: bool,
) -> tuple[Any, Any] | None:
    """Return the object or list that contains the position, and its key; (None, None) is the whole data.

    Returns None when the position is inside a null.
    """
    nearest: tuple[Any, Any] = (None, None)
    container = data
    completer: Completer | None = None
    key: int | str
    for step in steps:
        if container is None:
            return None
        if isinstance(step, int):
            assert isinstance(completer, ListCompleter)  # noqa: S101 - only lists have items
            key, completer = step, completer.item
        else:
            key, completer = step.key, step.completer
        if completer.nullable or not propagate:
            nearest = container, key
        container = container[key]
    return nearest


def _located(error: Exception, steps: Sequence[Field | int]) -> GraphQLError:
    *_, field = (step for step in steps if not isinstance(step, int))
    path = [step if isinstance(step, int) else step.key for step in steps]
    return located_error(error, field.nodes, path)
