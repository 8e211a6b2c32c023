"""Every SQL statement that the documents show runs, and is rolled back."""

from __future__ import annotations

import pytest

from tests.docs.markdown import blocks_of

# An extension that not everybody has, and a schema that exists only after a downgrade (tests/migrations).
_NOT_HERE = ("CREATE EXTENSION citus", "DROP SCHEMA baton_kept")
BLOCKS = [block for block in blocks_of("sql") if not any(text in block.text for text in _NOT_HERE)]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
async def test_it_runs(block, reader):
    text = await reader.filled_in(block.text, block)
    transaction = reader.conn.transaction()
    await transaction.start()
    try:
        await reader.conn.execute(text)
    finally:
        await transaction.rollback()
