"""Which columns an operation needs: to decode them is most of what a read costs."""

from __future__ import annotations

from functools import lru_cache

_NEEDED_FOR = {
    name: {name}
    for name in (
        "accepted_at",
        "actions_taken",
        "assigned_by",
        "assignment_reason",
        "assignment_sequence",
        "assignment_tier_name",
        "assignment_type",
        "cancellation_reason",
        "closed_at",
        "completed_at",
        "completion_status",
        "customer_feedback",
        "customer_rating",
        "diagnosis",
        "email",
        "escalation_reason",
        "is_active",
        "issue_category",
        "issue_description",
        "level",
        "notes",
        "parts_used",
        "priority",
        "region",
        "rejected_at",
        "rejection_reason",
        "resolved_at",
        "skills",
        "started_at",
        "ticket_number",
        "updated_at",
    )
} | {
    "assigned_at": {"assigned_at", "assignments"},
    "assignment_tier": {"assignment_tier", "suggest_engineers"},
    "created_at": {"created_at", "tickets"},
    "customer_name": {"customer_name", "suggest_engineers"},
    "equipment_id": {"equipment", "suggest_engineers"},
    "time_spent_hours": {"time_spent_hours", "time_by_engineer", "total_time_spent_hours"},
}
"""Columns of tickets, assignments and engineers, and the fields of the schema that something is made for of
them; what is not here is always read."""


@lru_cache(maxsize=500)
def omitted_columns(asked: frozenset[str]) -> frozenset[str]:
    """The columns without which all fields can be told that are `asked` for, as the domain spells them."""
    return frozenset(column for column, fields in _NEEDED_FOR.items() if not asked & fields)
