from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.commands.world import World

if TYPE_CHECKING:
    from app.db.pool import Database


@pytest.fixture
def world(db: Database) -> World:
    return World(db)
