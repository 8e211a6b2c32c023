"""What the commands that end an assignment before it is completed have in common: they keep the work done."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from app.commands.command import Command, command_dataclass, command_field, text_field
from app.domain import values
from app.domain.lifecycle import Action
from app.domain.model import AssignmentStatus, PartUsed

if TYPE_CHECKING:
    from app.commands.ticket_state import TicketState
    from app.domain.model import Assignment


@command_dataclass
class UnfinishedWork(Command):
    """Hours and findings of the assignment that ends. What is left out stays as it is: normally unknown."""

    time_spent_hours: Decimal | None = command_field(
        "Hours worked in the assignment that ends, 0 to 999.99, at most two decimal places.",
        values.hours,
        default=None,
    )
    diagnosis: str | None = text_field("What was wrong, as far as it is known.", default=None)
    actions_taken: str | None = text_field("What was done.", default=None)
    parts_used: tuple[PartUsed, ...] = command_field("Parts used, at most 100.", values.parts, default=())

    @property
    def work_done(self) -> dict[str, Any]:
        """The given values, by the field of the assignment."""
        given = {f.name: getattr(self, f.name) for f in fields(UnfinishedWork)}
        return {name: value for name, value in given.items() if value not in (None, ())}

    def cancelled(self, state: TicketState, reason: str) -> Assignment:
        """Return the assignment, cancelled now with the work done. Raises like `assignment_for`."""
        return state.change_assignment(
            Action.CANCEL,
            status=AssignmentStatus.CANCELLED,
            completed_at=state.now,
            cancellation_reason=reason,
            **self.work_done,
        )
