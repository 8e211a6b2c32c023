"""Reads of engineers; the statements are in sql/queries/engineers.sql."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from app.db import sql
from app.domain.model import Engineer
from app.queries.tickets import like

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.db.connections import Connection
    from app.domain.model import EngineerId, EquipmentId

EngineerKey: TypeAlias = "tuple[str, EngineerId]"
"""Sort key of engineers: name and id."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A candidate engineer and the criteria that match."""

    matching_skills: tuple[str, ...]
    same_region: bool
    active_assignments: int
    engineer: Engineer


_BY_IDS = sql.load("engineers", "engineers_by_ids", row=Engineer)
_BY_NAME = sql.load("engineers", "engineers_by_name", row=Engineer)
_COUNT = sql.load("engineers", "count_engineers", row=int)
_SUGGESTED = sql.load("engineers", "suggested_engineers", row=Suggestion)


async def by_ids(
    conn: Connection, engineer_ids: Sequence[EngineerId], *, omit: frozenset[str] = frozenset()
) -> list[Engineer]:
    return await _BY_IDS.all(conn, engineer_ids, omit=omit)


async def by_name(
    conn: Connection, search: str | None, *, after: EngineerKey | None, first: int
) -> list[Engineer]:
    """The first `first` engineers after the key `after` with `search` in their name or region."""
    name, engineer_id = after or (None, None)
    return await _BY_NAME.all(conn, like(search), name, engineer_id, first)


async def count(conn: Connection, search: str | None) -> int:
    return await _COUNT.one(conn, like(search))


async def suggested(
    conn: Connection,
    tier: int,
    equipment_id: EquipmentId | None,
    customer: str | None,
    *,
    excluded: EngineerId | None,
    first: int,
) -> list[Suggestion]:
    """Ordered by matching skills, the customer's region, and fewest active assignments."""
    return await _SUGGESTED.all(conn, tier, equipment_id, customer, excluded, first)
