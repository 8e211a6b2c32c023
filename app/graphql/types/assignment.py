"""The types Assignment and PartUsedInput."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import strawberry
from strawberry import Parent

from app.domain import model
from app.domain.lifecycle import ACTIVE
from app.graphql.types.batch_resolvers import load_engineers, load_equipment, load_tickets
from app.graphql.types.declarations import batched_field, field, resolver_field, type_for


@strawberry.input(description="A spare part that was installed.")
class PartUsedInput:
    part_number: str = field("The manufacturer's part number, 1 to 200 characters.")
    part_name: str = field("Name of the part, 1 to 200 characters.")
    quantity: int = field("Number of pieces, 1 to 10000.")
    cost: Decimal = field("Price of one piece, 0 to 9999999.99 with at most two decimals.")


@type_for(model.Assignment)
class Assignment:
    created_at: datetime = field("When the assignment was created.")
    updated_at: datetime = field("When the assignment was last changed.")

    @resolver_field("Whether this is the ticket's current assignment.")
    def is_current(root: Parent[model.Assignment]) -> bool:
        return root.status in ACTIVE

    ticket = batched_field(model.Ticket, "The assigned ticket.")(load_tickets)
    engineer = batched_field(model.Engineer, "The assigned engineer.")(load_engineers)
    equipment = batched_field(
        model.Equipment | None, "The ticket's equipment at the time of the assignment; null if unknown."
    )(load_equipment)
