"""The period of a report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from app.domain.errors import InvalidInput
from app.domain.values import parse_datetime

MAX_PERIOD = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Period:
    """From `start`, included, to `until`, excluded; both in UTC."""

    start: datetime
    until: datetime

    @classmethod
    def between(cls, start: datetime, until: datetime) -> Self:
        """Raises InvalidInput for the fields `from` and `to`."""
        period = cls(parse_datetime("from", start), parse_datetime("to", until))
        if not period.start < period.until:
            raise InvalidInput("to", "must be later than from")
        if period.until - period.start > MAX_PERIOD:
            raise InvalidInput("to", f"must be at most {MAX_PERIOD.days} days after from")
        return period
