"""Which columns an operation needs: decoding columns is most of the cost of a read."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields
from functools import lru_cache
from typing import Any

from app.domain.model import Assignment, Engineer, Ticket

_ALWAYS_READ: dict[type[Any], set[str]] = {
    Ticket: {"id", "status"},
    Assignment: {"id", "ticket_id", "engineer_id", "status"},
    Engineer: {"id", "name"},
}
_ALSO_READ_FOR: dict[type[Any], dict[str, set[str]]] = {
    Ticket: {
        "closed_at": {"reopenable_until"},
        "created_at": {"tickets"},
        "customer_name": {"suggest_engineers"},
        "equipment_id": {"equipment", "suggest_engineers"},
        "updated_at": {"reopenable_until"},
    },
    Assignment: {
        "assigned_at": {"assignments"},
        "assignment_sequence": {"next_assignment"},
        "assignment_tier": {"next_tier", "suggest_engineers"},
        "equipment_id": {"equipment"},
        "time_spent_hours": {"time_by_engineer", "total_time_spent_hours"},
    },
    Engineer: {},
}
"""The fields of the API that are derived from a column, besides the field of the same name."""


def _needed_for() -> dict[str, set[str]]:
    """Map each column that may be omitted to the fields that need it.

    Tables share column names, and columns are omitted by name, so the fields of all tables are united.
    """
    needed_for: defaultdict[str, set[str]] = defaultdict(set)
    for table, also in _ALSO_READ_FOR.items():
        for column in (f.name for f in fields(table)):
            needed_for[column] |= {column} | also.get(column, set())
    for column in set().union(*_ALWAYS_READ.values()):
        del needed_for[column]
    return needed_for


_NEEDED_FOR = _needed_for()


@lru_cache(maxsize=500)
def omitted_columns(requested_fields: frozenset[str]) -> frozenset[str]:
    """Return the columns that none of the requested fields, named as in the domain, needs."""
    return frozenset(column for column, needed in _NEEDED_FOR.items() if not requested_fields & needed)
