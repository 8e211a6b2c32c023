"""The period of a report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from app.domain.errors import InvalidInput

MAX_PERIOD = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Period:
    """From `start`, included, to `until`, excluded; both in UTC."""

    start: datetime
    until: datetime

    @classmethod
    def between(cls, start: datetime, until: datetime) -> Self:
        """Raises InvalidInput for the fields `from` and `to`."""
        period = cls(_in_utc("from", start), _in_utc("to", until))
        if not period.start < period.until:
            raise InvalidInput("to", "must be later than from")
        if period.until - period.start > MAX_PERIOD:
            raise InvalidInput("to", f"must be at most {MAX_PERIOD.days} days after from")
        return period


def _in_utc(field: str, at: datetime) -> datetime:
    if at.tzinfo is None:
        raise InvalidInput(field, "must have a time zone, as in 2026-03-01T00:00:00Z")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(field, "must be in the years 1 to 9999") from None
