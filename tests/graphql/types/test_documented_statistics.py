"""The responses in docs/statistics.md are those of the demo data."""

import json
import re
from datetime import UTC, datetime

from app.demo.load import seed
from tests.snapshots import ROOT

DOCUMENT = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"```graphql\n(.*?)```\n\n```json\n(.*?)```", re.DOTALL)


async def test_documented_responses_match_the_demo_data(db, ask):
    await seed(db, now=datetime(2026, 7, 1, 12, tzinfo=UTC))
    examples = EXAMPLE.findall(DOCUMENT)
    assert len(examples) == DOCUMENT.count("```graphql\n") > 0
    for query, response in examples:
        assert await ask(query) == json.loads(response)
