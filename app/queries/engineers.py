"""Reads of engineers; the statements are in sql/queries/engineers.sql."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from app.db import sql
from app.domain.model import Engineer
from app.queries.tickets import like

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.db.pool import Connection
    from app.domain.model import EngineerId

EngineerKey: TypeAlias = "tuple[str, EngineerId]"
"""Where an engineer stands by name."""

_BY_IDS = sql.load("engineers", "engineers_by_ids", row=Engineer)
_BY_NAME = sql.load("engineers", "engineers_by_name", row=Engineer)
_COUNT = sql.load("engineers", "count_engineers", row=int)


async def by_ids(conn: Connection, engineer_ids: Sequence[EngineerId]) -> list[Engineer]:
    return await _BY_IDS.all(conn, engineer_ids)


async def by_name(
    conn: Connection,
    search: str | None,
    *,
    after: EngineerKey | None,
    first: int,
) -> list[Engineer]:
    """The page of `first` engineers that follows `after`, whose name or region contains `search`."""
    name, engineer_id = after or (None, None)
    return await _BY_NAME.all(conn, like(search), name, engineer_id, first)


async def count(conn: Connection, search: str | None) -> int:
    return await _COUNT.one(conn, like(search))
