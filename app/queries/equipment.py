"""Reads of equipment; the statements are in sql/queries/equipment.sql."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.db import sql
from app.domain.model import Equipment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.db.connections import Connection
    from app.domain.model import EquipmentId

_BY_IDS = sql.load("equipment", "equipment_by_ids", row=Equipment)


async def by_ids(conn: Connection, equipment_ids: Sequence[EquipmentId]) -> list[Equipment]:
    return await _BY_IDS.all(conn, equipment_ids)
