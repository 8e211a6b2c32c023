"""Every SQL statement that the documents show runs, and is rolled back."""

from __future__ import annotations

import pytest

from tests.docs.markdown import blocks_of

# Nobody who only runs the tests has it.
BLOCKS = [block for block in blocks_of("sql") if "CREATE EXTENSION citus" not in block.text]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
async def test_it_runs(block, reader):
    text = await reader.filled_in(block.text, block)
    transaction = reader.conn.transaction()
    await transaction.start()
    try:
        await reader.conn.execute(text)
    finally:
        await transaction.rollback()
