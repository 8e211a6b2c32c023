"""Fixtures of test modules with their own server."""

from urllib.parse import urlsplit

import pytest

from tests.databases import migrate_whole, new_database


@pytest.fixture(scope="module")
async def _own_template(own_server):
    async with new_database(own_server) as url:
        await migrate_whole(url)
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture
async def own_url(own_server, _own_template):
    async with new_database(own_server, _own_template) as url:
        yield url
