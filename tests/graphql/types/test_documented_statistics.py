"""docs/statistics.md shows the results of the demo data."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from app.demo.load import seed
from tests.snapshots import ROOT

PAGE = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
EXAMPLES = re.compile(r"```graphql\n(.*?)```\n\n```json\n(.*?)```", re.DOTALL)


async def test_documented_results_are_those_of_the_demo_data(db, ask):
    await seed(db, now=datetime(2026, 7, 1, 12, tzinfo=UTC))
    examples = EXAMPLES.findall(PAGE)
    assert len(examples) == PAGE.count("```graphql\n") > 0
    for query, result in examples:
        assert await ask(query) == json.loads(result)
