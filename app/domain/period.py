"""The stretch of time that a report is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from app.domain.errors import InvalidInput

LONGEST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` on, and before `until`: periods that follow one another share no moment. Both in UTC."""

    start: datetime
    until: datetime

    @classmethod
    def between(cls, start: datetime, until: datetime) -> Self:
        """Raises InvalidInput, for the fields `from` and `to`."""
        period = cls(_in_utc("from", start), _in_utc("to", until))
        if not period.start < period.until:
            raise InvalidInput("to", "must be later than from")
        if period.until - period.start > LONGEST:
            raise InvalidInput("to", f"must be {LONGEST.days} days after from at most")
        return period


def _in_utc(field: str, at: datetime) -> datetime:
    if at.tzinfo is None:
        raise InvalidInput(field, "must say its time zone, as in 2026-03-01T00:00:00Z")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(field, "must be in the years 1 to 9999") from None
