"""The types Assignment, PartUsed and PartUsedInput."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import strawberry
from strawberry import ID, Parent

from app.domain import model
from app.domain.lifecycle import ACTIVE
from app.graphql.fields import batched_field
from app.graphql.types.batch_resolvers import load_engineers, load_equipment, load_tickets
from app.graphql.types.declarations import field, lazy_type, type_for
from app.graphql.types.engineer import Engineer
from app.graphql.types.equipment import Equipment


@type_for(model.PartUsed, "A spare part that was installed.")
class PartUsed:
    part_number: str = field("The manufacturer's part number.")
    part_name: str = field("Name of the part.")
    quantity: int = field("Number of pieces.")
    cost: Decimal = field("Price of one piece, with two decimals.")


@strawberry.input(description="A spare part that was installed.")
class PartUsedInput:
    part_number: str = field("The manufacturer's part number, 1 to 200 characters.")
    part_name: str = field("Name of the part, 1 to 200 characters.")
    quantity: int = field("Number of pieces, 1 to 10000.")
    cost: Decimal = field("Price of one piece, 0 to 9999999.99 with at most two decimals.")


@type_for(
    model.Assignment,
    "The assignment of a ticket to an engineer: who, why, when, for how long, and the outcome.",
)
class Assignment:
    id: ID = field("Id of the assignment.")
    assignment_sequence: int = field("Position in the ticket's history: 1, 2, 3, … without gaps.")
    assignment_tier: int = field("Support tier (the responsible organisation), 1 OEM to 5 Hospital.")
    assignment_tier_name: str = field("Name of the support tier.")
    assignment_reason: str | None = field("Why the engineer was assigned; null if no reason was given.")
    assignment_type: model.AssignmentType = field("How the assignment was created.")
    status: model.AssignmentStatus = field("Current status.")
    assigned_by: str | None = field("Who made the assignment: the subject of their token. Null if unknown.")
    assigned_at: datetime = field("When the engineer was assigned.")
    accepted_at: datetime | None = field("When the engineer accepted; null if not accepted, or unknown.")
    rejected_at: datetime | None = field("When the engineer rejected the assignment; null if they did not.")
    started_at: datetime | None = field("When the engineer started work; null if they have not.")
    completed_at: datetime | None = field(
        "When the assignment was completed, failed, was escalated or was cancelled; null while it is active,"
        " and if it was rejected."
    )
    rejection_reason: str | None = field("Why the engineer rejected the assignment; null if they did not.")
    escalation_reason: str | None = field("Why the ticket was escalated; null if it was not.")
    cancellation_reason: str | None = field("Why it was cancelled or reassigned; null if it was not.")
    completion_status: model.CompletionStatus | None = field("Outcome of the work; null while there is none.")
    time_spent_hours: Decimal | None = field("Hours worked, 0 to 999.99, two decimals; null if not reported.")
    diagnosis: str | None = field("Cause of the fault that the engineer found; null if not reported.")
    actions_taken: str | None = field("Work that the engineer did; null if not reported.")
    parts_used: list[PartUsed] = field("Parts that were installed.")
    notes: str | None = field("Other notes of the engineer; null if there are none.")
    customer_rating: int | None = field("The customer's rating, 1 (worst) to 5 (best); null if not rated.")
    customer_feedback: str | None = field("The customer's comment; null if there is none.")
    created_at: datetime = field("When the assignment was created.")
    updated_at: datetime = field("When the assignment was last changed.")

    @field("Whether this is the ticket's current assignment.")
    def is_current(root: Parent[model.Assignment]) -> bool:
        return root.status in ACTIVE

    ticket = batched_field(lazy_type("Ticket", "ticket"), "The assigned ticket.")(load_tickets)
    engineer = batched_field(Engineer, "The assigned engineer.")(load_engineers)
    equipment = batched_field(
        Equipment | None, "The ticket's equipment at the time of the assignment; null if unknown."
    )(load_equipment)
