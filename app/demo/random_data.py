"""Random demo values that are the same on every run."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

_KSUID_EPOCH = 1_400_000_000
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class RandomData(random.Random):
    """A seeded generator: the same seed gives the same values. Not for secrets."""

    def chance(self, probability: float) -> bool:
        return self.random() < probability

    def weighted(self, weights: Mapping[T, int]) -> T:
        return self.choices(tuple(weights), tuple(weights.values()))[0]

    def hours(self, min_hours: float, max_hours: float) -> timedelta:
        """Return whole seconds; values near the minimum are more frequent."""
        return timedelta(seconds=int(self.triangular(min_hours, max_hours, min_hours) * 3600))

    def uuid(self) -> UUID:
        return UUID(int=self.getrandbits(128), version=4)

    def text_id(self, prefix: str, number: int, created_at: datetime) -> str:
        """Return an id in one of the formats used in practice: KSUID, UUID, TICKET-2024-0001."""
        id_format = self.weighted({"ksuid": 6, "uuid": 2, "numbered": 2})
        if id_format == "ksuid":
            value = (int(created_at.timestamp()) - _KSUID_EPOCH) << 128 | self.getrandbits(128)
            return "".join(_BASE62[value // 62**place % 62] for place in reversed(range(27)))
        return str(self.uuid()) if id_format == "uuid" else f"{prefix}-{created_at.year}-{number:04}"
