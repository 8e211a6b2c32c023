"""How far an error reaches: to the nearest place around it that may be null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, located_error

from app.execution.completion import ListCompleter
from app.execution.response_path import steps_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.execution.plan import Field
    from app.execution.response_path import LazyPath


def propagate_nulls(
    data: dict[str, Any] | None, failures: Sequence[tuple[LazyPath, Exception]], *, propagate: bool
) -> tuple[dict[str, Any] | None, list[GraphQLError]]:
    """The data with its nulls, and the errors in the order of the answer.

    An error within what another error has made null is not told. Without `propagate`, each stays where it is.
    """
    errors = []
    for steps, error in sorted(
        ((steps_of(path), error) for path, error in failures), key=lambda failure: _order(failure[0])
    ):
        reached = _nearest(data, steps, propagate=propagate)
        if reached is None:
            continue
        holder, key = reached
        if holder is None:
            data = None
        else:
            holder[key] = None
        errors.append(_located(error, steps))
    return data, errors


def _order(steps: Sequence[Field | int]) -> list[int]:
    return [step if isinstance(step, int) else step.index for step in steps]


def _nearest(
    data: Any,  # noqa: ANN401 - an object or a list of the answer
    steps: Sequence[Field | int],
    *,
    propagate: bool,
) -> tuple[Any, Any] | None:
    """The object or list that holds the place, and where in it; (None, None) is all of the data.

    None where the place is within a null.
    """
    nearest: tuple[Any, Any] = (None, None)
    holder, completer = data, None
    key: int | str
    for step in steps:
        if holder is None:
            return None
        if isinstance(step, int):
            assert isinstance(completer, ListCompleter)  # noqa: S101 - only lists have items
            key, completer = step, completer.of
        else:
            key, completer = step.key, step.completer
        if completer.nullable or not propagate:
            nearest = holder, key
        holder = holder[key]
    return nearest


def _located(error: Exception, steps: Sequence[Field | int]) -> GraphQLError:
    *_, field = (step for step in steps if not isinstance(step, int))
    path = [step if isinstance(step, int) else step.key for step in steps]
    return located_error(error, field.nodes, path)
