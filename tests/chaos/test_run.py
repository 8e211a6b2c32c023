"""Short chaos runs: clients retry until they are answered, while everything is killed."""

import pytest

from tests.chaos.run import chaos_run

pytestmark = pytest.mark.soak


async def test_no_violations_in_a_short_run():
    async with chaos_run() as chaos:
        problems = await chaos.run()
        faults = chaos.faults.actions
    assert not problems, "\n".join(problems)
    # Operations were acknowledged during each fault, and before the first one.
    assert len([each for each in chaos.counts.values() if each.acknowledged]) == len(faults) + 1
    assert all(follower.received for follower in chaos.followers)


async def test_no_violations_over_failovers():
    """Servers find the new primary by themselves, and none of them exits."""
    async with chaos_run(servers=2, failover=True) as chaos:
        problems = await chaos.run()
        assert not problems, "\n".join(problems)
        assert len(chaos.faults.cluster.failovers_s) == 2
    print(chaos.table())
    assert all(chaos.counts[fault.__name__.replace("_", " ")].acknowledged for fault in chaos.faults.actions)
    assert all(follower.received for follower in chaos.followers)
