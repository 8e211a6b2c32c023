"""A short storm: every answer while tables are locked is right, or UNAVAILABLE or TIMEOUT."""

from collections import Counter

import pytest

from app.db.connections import TimeLimits
from app.demo.load import seed
from tests.chaos.storm import storm

pytestmark = pytest.mark.soak
LIMITS = TimeLimits(acquire_s=0.5, lock_s=0.5, statement_s=1)


async def test_every_answer_is_right_or_unavailable(fresh_url, fresh_db):
    await seed(fresh_db, tickets=100)
    rounds = await storm(fresh_url, [0.2, 0.6, 1.5], clients=60, limits=LIMITS)
    assert [problem for round_ in rounds for problem in round_.problems] == []
    answers = sum((round_.answers for round_ in rounds), Counter())
    assert answers["equal"]
    assert answers.total() > answers["equal"], "no answer was affected by the locks"
