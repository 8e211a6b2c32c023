"""Arguments of queries and subscriptions, checked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, TypeVar

import strawberry

from app.domain import model
from app.domain.errors import InvalidInput
from app.domain.period import MAX_PERIOD, Period
from app.graphql.context import Info
from app.graphql.errors import BadUserInput

T = TypeVar("T")

From = Annotated[
    datetime,
    strawberry.argument(name="from", description="The first moment of the period, with its time zone."),
]
To = Annotated[
    datetime,
    strawberry.argument(
        description="The first moment after the period, which is the next one's `from`;"
        f" {MAX_PERIOD.days} days later at most."
    ),
]


def signed_in(info: Info) -> model.Actor:
    """Every root begins with it. Raises Unauthenticated."""
    return info.context.actor


def argument(check: Callable[[str, object], T], name: str, value: object) -> T:
    """The argument's value, checked. Raises BadUserInput."""
    try:
        return check(name, value)
    except InvalidInput as refused:
        raise BadUserInput(refused) from None


def optional(check: Callable[[str, object], T], name: str, value: object) -> T | None:
    return None if value is None else argument(check, name, value)


def period(start: datetime, until: datetime) -> Period:
    """Raises BadUserInput."""
    try:
        return Period.between(start, until)
    except InvalidInput as refused:
        raise BadUserInput(refused) from None
