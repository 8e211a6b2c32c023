"""Every SQL statement in the documents can be executed; it is rolled back."""

import pytest

from app.db.connections import rolled_back
from tests.docs.markdown import blocks_in

# Citus is not installed where the tests run; baton_kept exists after a downgrade (tests/migrations).
_EXCLUDED = ("CREATE EXTENSION citus", "DROP SCHEMA baton_kept")
BLOCKS = [block for block in blocks_in("sql") if not any(text in block.text for text in _EXCLUDED)]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.location)
async def test_statements_succeed(block, values):
    text = await values.fill(block.text, block)
    async with rolled_back(values.conn):
        await values.conn.execute(text)
