"""What tests share that have a server of their own."""

from __future__ import annotations

import pytest

from tests.databases import migrate_whole, new_database


@pytest.fixture
async def own_url(own_server):
    async with new_database(own_server) as url:
        await migrate_whole(url)
        yield url
