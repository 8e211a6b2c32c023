"""Chance that comes out the same every time."""

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
    """Not for secrets: two with the same seed fall alike."""

    def chance(self, share: float) -> bool:
        return self.random() < share

    def weighted(self, weights: Mapping[T, int]) -> T:
        return self.choices(tuple(weights), tuple(weights.values()))[0]

    def hours(self, least: float, most: float) -> timedelta:
        """More often near the least, and in whole seconds."""
        return timedelta(seconds=int(self.triangular(least, most, least) * 3600))

    def uuid(self) -> UUID:
        return UUID(int=self.getrandbits(128), version=4)

    def text_id(self, prefix: str, number: int, made_at: datetime) -> str:
        """One of the forms that ids have in the field: KSUID, UUID, TICKET-2024-0001."""
        form = self.weighted({"ksuid": 6, "uuid": 2, "numbered": 2})
        if form == "ksuid":
            value = (int(made_at.timestamp()) - _KSUID_EPOCH) << 128 | self.getrandbits(128)
            return "".join(_BASE62[value // 62**place % 62] for place in reversed(range(27)))
        return str(self.uuid()) if form == "uuid" else f"{prefix}-{made_at.year}-{number:04}"
