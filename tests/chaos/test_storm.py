"""Clients that send until they are answered, while everything is killed under them."""

from __future__ import annotations

from tests.chaos.storm import storm


async def test_every_promise_is_kept_in_a_short_storm():
    async with storm() as one:
        wrong = await one.rage()
        faults = one.faults.all
    assert not wrong, "\n".join(wrong)
    # Each fault met some of them; the first in the table is none.
    assert len([each for each in one.figures.values() if each.acknowledged]) == len(faults) + 1
    assert all(follower.heard for follower in one.followers)


async def test_every_promise_is_kept_over_a_failover():
    """Nobody tells the servers which node is the primary now, and a server that ends by itself is told."""
    async with storm(servers=2, failover=True) as one:
        wrong = await one.rage()
        assert not wrong, "\n".join(wrong)
        assert len(one.faults.cluster.promotions_s) == 2
    print(one.table())
    assert all(one.figures[fault.__name__.replace("_", " ")].acknowledged for fault in one.faults.all)
    assert all(follower.heard for follower in one.followers)
