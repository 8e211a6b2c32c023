"""docs/statistics.md answers its questions as the demo data does."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from app.demo.load import seed
from tests.snapshots import ROOT

PAGE = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
ANSWERED = re.compile(r"```graphql\n(.*?)```\n\n```json\n(.*?)```", re.DOTALL)


async def test_each_answer_in_the_document_is_that_of_the_demo_data(db, ask):
    await seed(db, now=datetime(2026, 7, 1, 12, tzinfo=UTC))
    answered = ANSWERED.findall(PAGE)
    assert len(answered) == 7
    for query, answer in answered:
        assert await ask(query) == json.loads(answer)
