"""Batch resolvers that several types share. Each loads one related object for every parent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.domain import model
from app.graphql.context import Context
from app.graphql.fields import BatchResult, load_each


def load_engineers(parents: Sequence[Any], context: Context) -> BatchResult:
    """Load the engineers of parents that have an `engineer_id`."""
    return load_each(context.loaders.engineer, (parent.engineer_id for parent in parents))


def load_tickets(parents: Sequence[Any], context: Context) -> BatchResult:
    """Load the tickets of parents that have a `ticket_id`."""
    return load_each(context.loaders.ticket, (parent.ticket_id for parent in parents))


def load_equipment(parents: Sequence[model.Ticket | model.Assignment], context: Context) -> BatchResult:
    return load_each(context.loaders.equipment, (parent.equipment_id for parent in parents))
