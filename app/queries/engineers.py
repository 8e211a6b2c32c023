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
"""Where an engineer stands by name."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An engineer who may be given a ticket, and what speaks for them."""

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


async def suggested(
    conn: Connection,
    tier: int,
    equipment_id: EquipmentId | None,
    customer: str | None,
    *,
    passed_over: EngineerId | None,
    first: int,
) -> list[Suggestion]:
    """The best come first: most skills that match, the customer's region, least to do."""
    return await _SUGGESTED.all(conn, tier, equipment_id, customer, passed_over, first)
