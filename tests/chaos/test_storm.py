"""Clients that send until they are answered, while everything is killed under them."""

from __future__ import annotations

from tests.chaos.storm import storm


async def test_every_promise_is_kept_in_a_short_storm():
    async with storm(seconds=6) as one:
        assert await one.rage(pause_s=1) == []
    assert any(operation.answers for operation in one.operations)
    assert not [operation.id for operation in one.operations if operation.ended is None]
