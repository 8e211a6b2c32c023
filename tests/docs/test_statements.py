"""Every SQL statement that the documents show runs, and is rolled back."""

from __future__ import annotations

import pytest

from tests.docs.markdown import blocks_of


@pytest.mark.parametrize("block", blocks_of("sql"), ids=lambda block: block.place)
async def test_it_runs(block, reader):
    text = await reader.filled_in(block.text, block)
    transaction = reader.conn.transaction()
    await transaction.start()
    try:
        await reader.conn.execute(text)
    finally:
        await transaction.rollback()
