"""Validation of the arguments of queries and subscriptions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar

import strawberry

from app.domain.errors import InvalidInput
from app.domain.period import MAX_PERIOD, Period
from app.graphql.errors import BadUserInput

T = TypeVar("T")

From = Annotated[datetime, strawberry.argument(name="from", description="Start of the period, inclusive.")]
To = Annotated[
    datetime,
    strawberry.argument(
        description=f"End of the period, exclusive; at most {MAX_PERIOD.days} days after `from`."
    ),
]


def described(description: str) -> Any:  # noqa: ANN401 - goes into Annotated
    return strawberry.argument(description=description)


def argument(validator: Callable[[str, object], T], name: str, value: object) -> T:
    """Validate the value of an argument. Raises BadUserInput."""
    try:
        return validator(name, value)
    except InvalidInput as refusal:
        raise BadUserInput(refusal) from None


def optional(validator: Callable[[str, object], T], name: str, value: object) -> T | None:
    """Validate the value of an argument, or return None if it is null. Raises BadUserInput."""
    return None if value is None else argument(validator, name, value)


def period(start: datetime, until: datetime) -> Period:
    """Validate the arguments `from` and `to`. Raises BadUserInput."""
    try:
        return Period.between(start, until)
    except InvalidInput as refusal:
        raise BadUserInput(refusal) from None
